//! What a schema can't say of a system file: that each `${name}` will stand for something, that
//! each JSONPath is one, that paths are paths.

use std::collections::BTreeMap;

use serde_json_path::JsonPath;

use super::{Service, System};
use crate::command;
use crate::contract::{Contracts, Figure, Series};
use crate::diagnostic::{Mistake, nearest};
use crate::document::{Document, Hole};

/// Everything of that sort that is wrong.
pub(super) fn all(doc: &Document, system: &System) -> Vec<Mistake> {
    let mut found: Vec<Mistake> = doc.holes().iter().filter_map(|hole| name(doc, system, hole)).collect();
    found.extend(json_paths(&system.contracts).into_iter().filter_map(|(pointer, path)| {
        let error = JsonPath::parse(path).err()?;
        let help = "a JSONPath names a value in the answer, for example $.id or $.data.state".to_owned();
        Some(doc.mistake(&pointer, format!("`{path}` is no JSONPath: {error}"), Some(help)))
    }));
    found.extend(paths(system).into_iter().filter_map(|(pointer, path)| {
        let help = format!("write /{path}");
        let wrong = !path.starts_with(['/', '$']);
        wrong.then(|| doc.mistake(&pointer, format!("a path begins with `/`, not `{path}`"), Some(help)))
    }));
    for (name, service) in &system.services {
        let at = format!("/services/{}", escaped(name));
        found.extend(
            service
                .run
                .as_ref()
                .and_then(|run| unsplit(doc, &format!("{at}/run"), run)),
        );
        found.extend(settings(doc, &at, service));
        if service.preset.is_some() && service.disk.is_some() {
            let help = Some("remove `disk`".to_owned());
            found.push(doc.mistake(&format!("{at}/disk"), "a preset has a folder of its own already", help));
        }
    }
    if system
        .contracts
        .tasks
        .as_ref()
        .is_some_and(|tasks| tasks.states.done.is_empty())
    {
        let help = "name the system's words for it, for example `done: [completed]`".to_owned();
        let message = "no word says that a task is done, so none could ever be seen to be".to_owned();
        found.push(doc.mistake("/contracts/tasks/states/done", message, Some(help)));
    }
    for (index, alarm) in system.contracts.alarms.iter().enumerate() {
        let at = format!("/contracts/alarms/{index}");
        if let Figure::Metric(wanted) = &alarm.of
            && let Err(why) = Series::wanted(wanted)
        {
            found.push(doc.mistake(&format!("{at}/of/metric"), format!("`{wanted}` {why}"), None));
        }
        let earlier = &system.contracts.alarms[..index];
        if earlier.iter().any(|other| other.name == alarm.name) {
            let message = format!("there are two alarms `{}`", alarm.name);
            found.push(doc.mistake(
                &format!("{at}/name"),
                message,
                Some("give each its own name".to_owned()),
            ));
        }
    }
    found.extend(verbs(doc, &system.contracts));
    found.extend(system.build.as_ref().and_then(|build| unsplit(doc, "/build", build)));
    found
}

/// Settings of a database that squall gives itself, for it would neither find it nor clear up behind it with others.
const OURS: [&str; 7] = [
    "data_directory",
    "dynamic_shared_memory_type",
    "listen_addresses",
    "log_destination",
    "logging_collector",
    "port",
    "unix_socket_directories",
];

/// Whether a setting is one of those squall gives itself: PostgreSQL takes them in any case, and with hyphens, too.
fn is_ours(name: &str) -> bool {
    OURS.contains(&name.to_ascii_lowercase().replace('-', "_").as_str())
}

/// Settings nobody takes, or squall gives itself.
fn settings(doc: &Document, at: &str, service: &Service) -> Vec<Mistake> {
    let names = service.settings.keys();
    let wrong = names.filter_map(|name| {
        let (message, help) = if service.preset.is_none() {
            (
                "only a preset takes settings".to_owned(),
                "give them with `run` or `env`",
            )
        } else if is_ours(name) {
            (format!("squall itself gives `{name}`"), "remove it")
        } else {
            return None;
        };
        let pointer = format!("{at}/settings/{}", escaped(name));
        Some(doc.mistake(&pointer, message, Some(help.to_owned())))
    });
    wrong.collect()
}

/// A command that can't be split, or is none.
fn unsplit(doc: &Document, pointer: &str, line: &str) -> Option<Mistake> {
    match command::words(line) {
        Ok(words) if words.is_empty() => Some(doc.mistake(pointer, "the command is empty", None)),
        Ok(_) => None,
        Err(why) => Some(doc.mistake(pointer, format!("the command {why}"), Some(command::REMEDY.to_owned()))),
    }
}

/// Whether a hole names something that will be known when it is filled in.
fn name(doc: &Document, system: &System, hole: &Hole) -> Option<Mistake> {
    let path: Vec<&str> = hole.path.iter().map(String::as_str).collect();
    let known = known(system, &path);
    if known.contains(&hole.name) {
        return None;
    }
    let message = match known.is_empty() {
        true => format!("`{}` is not known here, where the text is used as it stands", hole.name),
        false => format!("nothing is known as `{}` here", hole.name),
    };
    let help = if let Some(link) = undeclared(system, &path, &hole.name) {
        Some(format!("add `{link}` to this service's `links`"))
    } else if known.is_empty() {
        Some("for a plain `${` write `$${`".to_owned())
    } else {
        Some(match nearest(&hole.name, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known names: {}", known.join(", ")),
        })
    };
    Some(doc.hole_mistake(hole, message, help))
}

/// The service a name means which this one has no link to.
fn undeclared<'a>(system: &System, path: &[&str], name: &'a str) -> Option<&'a str> {
    let (["services", service, ..], Some(rest)) = (path, name.strip_prefix("links.")) else {
        return None;
    };
    let (link, _) = rest.rsplit_once('.')?;
    let linked = system.services.get(*service)?.links.iter().any(|to| to == link);
    (!linked && system.services.contains_key(link)).then_some(link)
}

/// What may be named at a place.
fn known(system: &System, path: &[&str]) -> Vec<String> {
    let contracts = &system.contracts;
    match path {
        ["services", service, "run" | "env", ..] => system.services.get(*service).map_or_else(Vec::new, of_start),
        ["contracts", "session", index, ..] => session(contracts, index.parse().unwrap_or(0)),
        ["contracts", "session_check", "path" | "headers", ..] => session(contracts, usize::MAX),
        ["contracts", "tasks", rest @ ..] => {
            let own: &[&str] = match rest {
                ["headers", ..] => &[],
                ["create", "path" | "json", ..] => &["type", "payload", "ms", "mark"],
                ["show", "path"] => &["id"],
                ["kinds", _, "payload", ..] => &["ms", "mark", "witness.url"],
                _ => return Vec::new(),
            };
            with(session(contracts, usize::MAX), own)
        }
        ["contracts", part @ ("counters" | "locks"), rest @ ..] => {
            let own = match rest {
                ["headers", ..] => &[],
                [key, "path" | "json", ..] => {
                    let mut verbs = contracts.verbs().into_iter();
                    let named = verbs.find(|known| known.of.word() == *part && known.key == *key);
                    named.map_or(&[][..], |known| known.names)
                }
                _ => return Vec::new(),
            };
            with(session(contracts, usize::MAX), own)
        }
        ["contracts", "api", index, "path" | "headers" | "json" | "has", ..] => {
            let mut names = with(session(contracts, usize::MAX), &["task", "nonce"]);
            let before = contracts.api.iter().take(index.parse().unwrap_or(0));
            names.extend(before.flat_map(|case| case.take.keys().cloned()));
            names
        }
        _ => Vec::new(),
    }
}

fn with(mut names: Vec<String>, more: &[&str]) -> Vec<String> {
    names.extend(more.iter().map(|name| (*name).to_owned()));
    names
}

/// What is known when a copy is started.
fn of_start(service: &Service) -> Vec<String> {
    let fixed = [
        "self.addr",
        "self.host",
        "self.port",
        "self.name",
        "self.index",
        "witness.url",
        "run.id",
        "run.scratch",
    ];
    let parts = ["addr", "host", "port", "url"];
    let links = service
        .links
        .iter()
        .flat_map(|link| parts.map(|part| format!("links.{link}.{part}")));
    let disk = service.disk.map(|_| "self.disk".to_owned());
    links.chain(fixed.map(str::to_owned)).chain(disk).collect()
}

/// What is known in a session after its first `requests`.
fn session(contracts: &Contracts, requests: usize) -> Vec<String> {
    let taken = contracts
        .session
        .iter()
        .take(requests)
        .flat_map(|request| request.take.keys().cloned());
    ["user", "password"]
        .map(str::to_owned)
        .into_iter()
        .chain(taken)
        .collect()
}

/// What is wrong with operations on objects.
fn verbs(doc: &Document, contracts: &Contracts) -> Vec<Mistake> {
    let mut found = Vec::new();
    let holes = doc.holes();
    for known in contracts.verbs() {
        if let (None, Some(example)) = (&known.verb.shows, known.shows) {
            let message = format!("nothing says where `{}` shows what it read", known.key);
            let help = Some(format!("add `shows`, a JSONPath such as {example}"));
            found.push(doc.key_mistake(&known.pointer(), message, help));
        }
        let at = ["contracts", known.of.word(), known.key];
        let inside = |hole: &&Hole| hole.path.len() > at.len() && hole.path.iter().zip(at).all(|(step, at)| step == at);
        for name in known.needs() {
            if !holes.iter().filter(inside).any(|hole| hole.name == *name) {
                let what = if *name == "name" {
                    "which of them is meant"
                } else {
                    "what is appended"
                };
                let message = format!("`{}` does not say {what}", known.key);
                let help = Some(format!("write `${{{name}}}` into its path or its JSON"));
                found.push(doc.key_mistake(&known.pointer(), message, help));
            }
        }
        for (index, status) in known.verb.refuses.iter().enumerate() {
            if !(400..600).contains(status) {
                let help = Some("write the status of such an answer, for example 409".to_owned());
                let message = format!("{status} refuses nothing");
                found.push(doc.mistake(&format!("{}/refuses/{index}", known.pointer()), message, help));
            }
        }
    }
    if contracts
        .locks
        .as_ref()
        .is_some_and(|locks| locks.lease.get().is_zero())
    {
        let message = "a lock that is lost at once is never held";
        let help = Some("write how long it stays with its holder, such as 1s".to_owned());
        found.push(doc.mistake("/contracts/locks/lease", message, help));
    }
    found
}

/// Every JSONPath, with its pointer.
fn json_paths(contracts: &Contracts) -> Vec<(String, &str)> {
    let taken = |at: String, take: &'_ BTreeMap<String, String>| -> Vec<String> {
        take.keys().map(|name| format!("{at}/take/{}", escaped(name))).collect()
    };
    let mut found = Vec::new();
    let requests = contracts
        .session
        .iter()
        .enumerate()
        .map(|(index, it)| (format!("session/{index}"), &it.take));
    let check = contracts
        .session_check
        .iter()
        .map(|it| ("session_check".to_owned(), &it.take));
    let cases = contracts
        .api
        .iter()
        .enumerate()
        .map(|(index, it)| (format!("api/{index}"), &it.take));
    for (at, take) in requests.chain(check).chain(cases) {
        let pointers = taken(format!("/contracts/{at}"), take);
        found.extend(pointers.into_iter().zip(take.values().map(String::as_str)));
    }
    if let Some(tasks) = &contracts.tasks {
        let show = &tasks.show;
        found.push(("/contracts/tasks/create/id".to_owned(), tasks.create.id.as_str()));
        found.push(("/contracts/tasks/show/state".to_owned(), show.state.as_str()));
        let optional = [
            ("attempts", &show.attempts),
            ("failures", &show.failures),
            ("deaths", &show.deaths),
            ("reason", &show.reason),
            ("payload", &show.payload),
        ];
        let given = optional
            .into_iter()
            .filter_map(|(name, path)| Some((name, path.as_deref()?)));
        found.extend(given.map(|(name, path)| (format!("/contracts/tasks/show/{name}"), path)));
    }
    if let Some(breakers) = &contracts.breakers {
        let parts = [
            ("list", &breakers.list),
            ("of", &breakers.of),
            ("state", &breakers.state),
        ];
        found.extend(parts.map(|(name, path)| (format!("/contracts/breakers/{name}"), path.as_str())));
    }
    let alarms = contracts.alarms.iter().enumerate();
    found.extend(alarms.filter_map(|(index, alarm)| match &alarm.of {
        Figure::Value(path) => Some((format!("/contracts/alarms/{index}/of/value"), path.as_str())),
        Figure::Metric(_) => None,
    }));
    let shown = contracts.verbs().into_iter();
    found.extend(shown.filter_map(|known| Some((format!("{}/shows", known.pointer()), known.verb.shows.as_deref()?))));
    found
}

/// Every path of a URL, with its pointer.
fn paths(system: &System) -> Vec<(String, &str)> {
    let contracts = &system.contracts;
    let mut found = Vec::new();
    for (name, service) in &system.services {
        let path = service.ready.as_ref().and_then(|ready| ready.path.as_deref());
        found.extend(path.map(|path| (format!("/services/{}/ready/path", escaped(name)), path)));
    }
    if let Some(health) = &contracts.health {
        let live = health.live.iter();
        found.extend(live.map(|live| ("/contracts/health/live".to_owned(), live.as_str())));
        found.push(("/contracts/health/ready".to_owned(), health.ready.as_str()));
    }
    let session = contracts.session.iter().enumerate();
    found.extend(session.map(|(index, it)| (format!("/contracts/session/{index}/path"), it.path.as_str())));
    let check = contracts.session_check.iter();
    found.extend(check.map(|it| ("/contracts/session_check/path".to_owned(), it.path.as_str())));
    if let Some(tasks) = &contracts.tasks {
        found.push(("/contracts/tasks/create/path".to_owned(), tasks.create.path.as_str()));
        found.push(("/contracts/tasks/show/path".to_owned(), tasks.show.path.as_str()));
    }
    let breakers = contracts.breakers.iter();
    found.extend(breakers.map(|it| ("/contracts/breakers/path".to_owned(), it.path.as_str())));
    let alarms = contracts.alarms.iter().enumerate();
    found.extend(alarms.map(|(index, it)| (format!("/contracts/alarms/{index}/path"), it.path.as_str())));
    let verbs = contracts.verbs().into_iter();
    found.extend(verbs.map(|known| (format!("{}/path", known.pointer()), known.verb.path.as_str())));
    let api = contracts.api.iter().enumerate();
    found.extend(api.map(|(index, it)| (format!("/contracts/api/{index}/path"), it.path.as_str())));
    found
}

/// A key as a step of a JSON Pointer.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_squall_gives_itself_is_known_however_it_is_written() {
        for name in ["data_directory", "data-directory", "Unix-Socket_DIRECTORIES", "PORT"] {
            assert!(is_ours(name), "{name}");
        }
        for name in ["synchronous_commit", "synchronous-commit", "data", "data directory"] {
            assert!(!is_ours(name), "{name}");
        }
    }
}
