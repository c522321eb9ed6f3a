//! The services of the file, and which of them is the entry.

use std::collections::BTreeSet;

use serde_json::Value;

use super::api::Api;
use super::compose::{Compose, Part, Role};
use super::fill::{Filled, Owner, variables};
use super::page::{Page, flow, literal, scalar};
use crate::command;

/// Names of services that clients usually talk to.
const FRONT: [&str; 8] = ["gateway", "proxy", "server", "api", "web", "app", "backend", "frontend"];

/// Writes `services` and `entry`.
pub(super) fn write(page: &mut Page, compose: Option<&Compose<'_>>, api: Option<&Api<'_>>) {
    let Some(compose) = compose else {
        page.guess(
            0,
            "entry: server",
            "an API is answered by something; call it what you like",
        );
        page.say(0, "");
        page.say(0, "services:");
        page.say(2, "server:");
        page.todo(4, "`run: COMMAND`, which starts one copy that listens on ${self.addr}");
        page.todo(
            4,
            "`env:` and `links:`, what it needs; its database is a service of its own, `preset: postgres`",
        );
        if let Some(ready) = api.and_then(Api::ready) {
            page.guess(4, format!("ready: {{ path: {} }}", scalar(ready)), "by its name");
        }
        return;
    };
    let entry = entry(compose, api.is_some());
    match &entry {
        Some((part, why)) => page.guess(0, format!("entry: {}", scalar(&part.name)), why.as_str()),
        None => page.todo(
            0,
            "`entry: NAME`, the service clients talk to; none of these publishes a port",
        ),
    }
    page.say(0, "");
    page.say(0, "services:");
    let names: Vec<&str> = ["server", "worker", "db"]
        .into_iter()
        .filter(|name| !compose.stays(name))
        .collect();
    if !names.is_empty() {
        let what =
            "the bundled scenarios strike services called server, worker and db: rename yours where you can (missing: ";
        page.todo(2, format!("{what}{})", names.join(", ")));
    }
    let mut taken = Links::default();
    for part in &compose.parts {
        let ready = entry
            .as_ref()
            .filter(|(entry, _)| entry.name == part.name)
            .and_then(|_| api?.ready());
        part_of(page, compose, part, &mut taken, ready);
    }
}

/// The links written so far: none may close a circle.
#[derive(Debug, Default)]
struct Links(BTreeSet<(String, String)>);

impl Links {
    fn reaches(&self, from: &str, to: &str) -> bool {
        from == to || self.0.iter().any(|(one, next)| one == from && self.reaches(next, to))
    }

    fn add(&mut self, from: &str, to: &str) -> bool {
        let free = !self.reaches(to, from);
        if free {
            self.0.insert((from.to_owned(), to.to_owned()));
        }
        free
    }
}

/// The service clients talk to, and why.
fn entry<'a>(compose: &'a Compose<'_>, api: bool) -> Option<(&'a Part, String)> {
    let own = || compose.parts.iter().filter(|part| compose.role(part) == Role::Own);
    let published: Vec<&Part> = own().filter(|part| part.publishes()).collect();
    if let [only] = published.as_slice() {
        return Some((
            only,
            "of the project's own services only this publishes a port".to_owned(),
        ));
    }
    let front = |part: &&&Part| FRONT.iter().any(|word| part.name.contains(word));
    let needed = |part: &Part| own().any(|other| other.depends().iter().any(|(name, _)| *name == part.name));
    let first = published
        .iter()
        .find(front)
        .or_else(|| published.iter().find(|part| !needed(part)));
    if let Some(first) = first.or(published.first()) {
        return Some((first, "it publishes a port, and its name sounds like it".to_owned()));
    }
    let listens: Vec<&Part> = own()
        .filter(|part| !part.ports().is_empty() || part.checked_path().is_some())
        .collect();
    if let Some(first) = listens.iter().find(front).or(listens.first()) {
        return Some((first, "it listens, though it publishes nothing".to_owned()));
    }
    let named = own().find(|part| api && FRONT.iter().any(|word| part.name.contains(word)));
    named.map(|part| (part, "by its name".to_owned()))
}

fn part_of(page: &mut Page, compose: &Compose<'_>, part: &Part, taken: &mut Links, ready: Option<&str>) {
    let role = compose.role(part);
    if role == Role::Passing {
        let what = format!(
            "`{}` is left out: it ends by itself, or is started only when asked for. What it does (such as migrations), \
             let a service do at its start",
            literal(&part.name)
        );
        page.todo(2, what);
        return;
    }
    page.say(2, format!("{}:", scalar(&part.name)));
    match role {
        Role::Postgres => {
            page.guess(4, "preset: postgres", format!("the image is {}", part.image()));
            return;
        }
        Role::Known(command) => {
            let why = format!("the image is {}; the program must be installed here", part.image());
            page.guess(4, format!("run: {}", quoted(command)), why);
            return;
        }
        Role::Own | Role::Passing => {}
    }
    let owner = Owner { compose, part };
    let command = part
        .command()
        .map(|words| words.iter().map(|word| owner.word(word)).collect::<Vec<_>>());
    let env = Env::of(&owner);
    let spoken_of = command
        .iter()
        .flatten()
        .chain(env.given.iter().map(|(_, filled)| filled));
    let spoken_of = spoken_of.filter_map(|filled| filled.link.clone());
    let links: Vec<String> = part
        .depends()
        .into_iter()
        .map(|(name, _)| name.to_owned())
        .chain(spoken_of)
        .collect();
    let links = Granted::of(compose, part, links, taken);
    let mut told = env.given.iter().any(|(_, filled)| filled.listens());
    match &command {
        Ok(words) => {
            told |= words.iter().any(Filled::listens);
            let line: Vec<&str> = words.iter().map(|word| links.text(word)).collect();
            let why = "the command in the image; paths may be others here";
            page.guess(4, format!("run: {}", quoted(&command::line(&line))), why);
        }
        Err(why) => page.todo(4, format!("`run: COMMAND`, which starts one copy here: {why}")),
    }
    env.write(page, part, &links);
    if !part.ports().is_empty() && !told {
        page.todo(
            4,
            "tell it by `run` or `env` to listen on ${self.addr} (or ${self.host}, ${self.port}); the port is squall's choice",
        );
    }
    if part.ports().is_empty() {
        page.todo(
            4,
            "if it works on tasks, let it report them: `WITNESS_URL: ${witness.url}` and `${self.name}` in `env` (the book: The witness)",
        );
    }
    links.write(page);
    rest(page, part, ready);
}

/// The environment of a service.
struct Env {
    given: Vec<(String, Filled)>,
    /// What the file leaves to whoever starts it.
    missing: Vec<String>,
}

impl Env {
    fn of(owner: &Owner<'_>) -> Self {
        let mut env = Self {
            given: Vec::new(),
            missing: Vec::new(),
        };
        for (name, value) in owner.part.env() {
            match value.map(|value| variables(&value)) {
                Some(Ok(value)) => env.given.push((name.clone(), owner.setting(&name, &value))),
                _ => env.missing.push(name),
            }
        }
        env
    }

    fn write(&self, page: &mut Page, part: &Part, links: &Granted) {
        if part.has_env_file() {
            page.todo(
                4,
                "`env_file` is not read: write what is in it into `env`, or export it before squall is started",
            );
        }
        if part.extends() {
            page.todo(4, "`extends` is not followed: write what it brings");
        }
        if !self.given.is_empty() {
            page.say(4, "env:");
        }
        for (name, filled) in &self.given {
            let text = format!("{}: {}", scalar(name), quoted(links.text(filled)));
            match &filled.why {
                Some(why) if links.allows(filled) => page.guess(6, text, why.as_str()),
                _ => page.say(6, text),
            }
        }
        if !self.missing.is_empty() {
            let names = self.missing.join(", ");
            page.todo(
                4,
                format!("{names}: from outside in Compose; what squall was started with is passed on, or write it into `env`"),
            );
        }
    }
}

/// Which services one may be linked to.
struct Granted {
    fine: Vec<String>,
    /// Each would close a circle.
    circle: Vec<String>,
}

impl Granted {
    fn of(compose: &Compose<'_>, part: &Part, mut links: Vec<String>, taken: &mut Links) -> Self {
        let mut seen = BTreeSet::new();
        links.retain(|link| seen.insert(link.clone()));
        links.retain(|link| *link != part.name && compose.stays(link));
        let (fine, circle) = links.into_iter().partition(|link| taken.add(&part.name, link));
        Self { fine, circle }
    }

    fn allows(&self, filled: &Filled) -> bool {
        filled.link.as_ref().is_none_or(|link| self.fine.contains(link))
    }

    /// A text, or what it was before where it speaks of a service there is no link to.
    fn text<'a>(&self, filled: &'a Filled) -> &'a str {
        if self.allows(filled) { &filled.text } else { &filled.was }
    }

    fn write(self, page: &mut Page) {
        if !self.fine.is_empty() {
            let names: Vec<Value> = self.fine.into_iter().map(Value::from).collect();
            page.guess(
                4,
                format!("links: {}", flow(&names.into())),
                "what it depends on, or is told the address of",
            );
        }
        for link in self.circle {
            page.todo(
                4,
                format!("a link to `{link}` would close a circle, and leave nothing to start first; it must be told its address otherwise"),
            );
        }
    }
}

fn rest(page: &mut Page, part: &Part, ready: Option<&str>) {
    match (part.checked_path(), ready) {
        (_, Some(path)) => page.guess(
            4,
            format!("ready: {{ path: {} }}", scalar(path)),
            "by its name, in the API",
        ),
        (Some(path), None) => page.guess(
            4,
            format!("ready: {{ path: {} }}", scalar(&path)),
            "its health check asks for it",
        ),
        (None, None) => {}
    }
    match part.restarts() {
        Some(policy) => page.guess(4, "restart: { after: 1s }", format!("`restart: {policy}` in Compose")),
        None => page.todo(4, "`restart: { after: 1s }`, if something starts it again when it ends"),
    }
    if let Some(replicas) = part.replicas() {
        page.say(4, format!("replicas: {replicas}"));
    }
}

/// A text that may hold `${…}`.
fn quoted(text: &str) -> String {
    let plain = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-./= ".contains(c));
    let first = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '.');
    match plain && first && text.contains(' ') && !text.ends_with(' ') {
        true => text.to_owned(),
        false => scalar(text),
    }
}
