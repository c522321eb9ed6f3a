//! The contract for tasks: a collection one can POST to, whose items have a state.

use serde_json::Value;

use super::api::{Api, Operation, with_hole};
use super::auth::Auth;
use super::body::Body;
use super::compose::Compose;
use super::page::{Note, Page, flow, scalar};
use super::schema::{Property, step};
use super::words::{Meaning, folded, named};

const STATE: &str = "status state phase stage";

/// What was found.
#[derive(Debug)]
pub(super) struct Found<'a> {
    create: Operation<'a>,
    pub(super) show: Operation<'a>,
    /// The schema of one item's answer.
    item: &'a Value,
    state: String,
    words: Vec<&'a str>,
}

impl<'a> Found<'a> {
    /// The most likely one: the more its states sound like work, the better.
    pub(super) fn find(api: &Api<'a>) -> Option<Self> {
        let mut best: Option<(usize, Self)> = None;
        for create in api
            .operations
            .iter()
            .filter(|one| one.method == "POST" && !one.path.contains('{'))
        {
            let item_of = |path: &str| {
                let rest = path.strip_prefix(create.path.trim_end_matches('/')).unwrap_or_default();
                rest.starts_with("/{") && rest.trim_end_matches('/').ends_with('}') && rest.matches('/').count() == 1
            };
            let Some(show) = api
                .operations
                .iter()
                .find(|one| one.method == "GET" && item_of(&one.path))
            else {
                continue;
            };
            let Some((_, Some(item))) = api.success(show) else {
                continue;
            };
            let is_state = |property: &Property<'a>| named(property.name, STATE);
            let listed =
                |_: &str, property: &Property<'a>| is_state(property) && !api.schemas.words(property.schema).is_empty();
            let loose =
                |_: &str, property: &Property<'a>| is_state(property) && api.schemas.is(property.schema, "string");
            let Some((state, property)) = api.schemas.find(item, listed).or_else(|| api.schemas.find(item, loose))
            else {
                continue;
            };
            let words = api.schemas.words(property.schema);
            let meant = |meaning: Meaning| words.iter().any(|word| Meaning::of(word) == Some(meaning));
            let sounds = [Meaning::Waiting, Meaning::Running, Meaning::Done]
                .into_iter()
                .filter(|one| meant(*one))
                .count();
            let score = usize::from(!words.is_empty()) + 3 * sounds + usize::from(sounds_like_work(&create.path));
            if best.as_ref().is_none_or(|(most, _)| score > *most) {
                let found = Self {
                    create: create.clone(),
                    show: show.clone(),
                    item,
                    state,
                    words,
                };
                best = Some((score, found));
            }
        }
        best.map(|(_, found)| found)
    }

    pub(super) fn write(&self, page: &mut Page, api: &Api<'a>, auth: &Auth, compose: Option<&Compose<'_>>) {
        page.guess(
            2,
            "tasks:",
            format!(
                "`{}` can be posted to, and its items have `{}`",
                self.create.path, self.state
            ),
        );
        auth.write_headers(page, 4);
        let body = Body::of(api, &self.create);
        self.write_create(page, api, &body);
        self.write_show(page, api, body.payload.as_ref());
        self.write_states(page);
        body.write_kinds(page, api);
        write_limits(page, compose);
    }

    fn write_create(&self, page: &mut Page, api: &Api<'a>, body: &Body<'a>) {
        let (code, answer) = api.success(&self.create).unwrap_or((201, None));
        page.say(4, "create:");
        page.say(6, "method: POST");
        page.say(6, format!("path: {}", scalar(&self.create.path)));
        page.guess(
            6,
            format!("json: {}", flow(&body.json)),
            "what it must have, and what can carry type, payload and mark",
        );
        if !body.marked {
            page.todo(6, "put `${mark}` into it: it tells one task from another");
        }
        match answer.and_then(|answer| self.id(api, answer)) {
            Some(id) => page.guess(
                6,
                format!("id: {}", scalar(&id)),
                "by its name, in the answer to the POST",
            ),
            None => {
                let id = self.id(api, self.item).unwrap_or_else(|| "$.id".to_owned());
                let why = "as it is read back; the POST's own answer is not documented";
                page.guess(6, format!("id: {}", scalar(&id)), why);
            }
        }
        page.say(6, format!("expect: {code}"));
    }

    /// Where a property is: beside the state for choice, for an envelope has names of its own.
    fn field(&self, api: &Api<'a>, answer: &'a Value, fits: impl Fn(&Property<'a>) -> bool) -> Option<String> {
        let parent = self.state.rfind(['.', '[']).map_or("$", |at| &self.state[..at]);
        let beside = |path: &str, property: &Property<'a>| fits(property) && path == step(parent, property.name);
        let found = api.schemas.find(answer, beside);
        let found = found.or_else(|| api.schemas.find(answer, |_, property| fits(property)));
        found.map(|(path, _)| path)
    }

    /// Where the id is: by a usual name, or the parameter's own.
    fn id(&self, api: &Api<'a>, answer: &'a Value) -> Option<String> {
        let parameter = self.show.path.rsplit('{').next().unwrap_or_default();
        let parameter = folded(parameter.trim_end_matches(['}', '/']));
        let parent = self.state.rfind(['.', '[']).map_or("$", |at| &self.state[..at]);
        let names = ["id", parameter.as_str(), "uuid", "taskid", "jobid", "number", "key"];
        let all = || {
            names
                .iter()
                .filter_map(|name| self.field(api, answer, |property| folded(property.name) == *name))
        };
        let beside = |path: &String| path.rfind(['.', '[']).is_some_and(|at| &path[..at] == parent);
        all().find(beside).or_else(|| all().next())
    }

    fn write_show(&self, page: &mut Page, api: &Api<'a>, payload: Option<&Property<'a>>) {
        page.say(4, "show:");
        page.say(6, "method: GET");
        page.say(6, format!("path: {}", scalar(&with_hole(&self.show.path, "${id}"))));
        page.guess(6, format!("state: {}", scalar(&self.state)), "by its name");
        let fields = [
            ("attempts", "attempt attempts tries attemptcount attemptno runs"),
            ("failures", "failures failurecount errors errorcount failedattempts"),
            ("deaths", "deaths interruptions redeliveries crashes"),
            ("reason", "lasterror error reason failurereason errormessage failure"),
        ];
        for (key, words) in fields {
            let text = key == "reason";
            let fits = |property: &Property<'a>| {
                named(property.name, words) && (api.schemas.is(property.schema, "integer") || text)
            };
            if let Some(path) = self.field(api, self.item, fits) {
                page.guess(6, format!("{key}: {}", scalar(&path)), "by its name");
            }
        }
        let same = |property: &Property<'a>| payload.is_some_and(|payload| payload.name == property.name);
        if let Some(path) = self.field(api, self.item, same) {
            page.guess(6, format!("payload: {}", scalar(&path)), "the name it is sent under");
        }
    }

    fn write_states(&self, page: &mut Page) {
        page.say(4, "states:");
        for (meaning, key) in Meaning::ALL {
            let words: Vec<Value> = self
                .words
                .iter()
                .filter(|word| Meaning::of(word) == Some(meaning))
                .map(|word| Value::from(*word))
                .collect();
            match (words.is_empty(), meaning) {
                (false, _) => page.guess(
                    6,
                    format!("{key}: {}", flow(&words.into())),
                    "what the words usually mean",
                ),
                (true, Meaning::Waiting | Meaning::Running | Meaning::Done) => page.note(
                    6,
                    format!("{key}: []"),
                    Note::Todo("the system's words for it".to_owned()),
                ),
                (true, _) => {}
            }
        }
        let unknown: Vec<&str> = self
            .words
            .iter()
            .copied()
            .filter(|word| Meaning::of(word).is_none())
            .collect();
        if !unknown.is_empty() {
            page.todo(6, format!("put into one of these lists: {}", unknown.join(", ")));
        }
    }
}

fn sounds_like_work(path: &str) -> bool {
    let name = folded(path.rsplit('/').next().unwrap_or_default());
    ["task", "job", "work", "errand", "run", "execution", "order"]
        .iter()
        .any(|word| name.contains(word))
}

/// How long a task may be kept, and what ends it: settings of the workers, which no API says.
fn write_limits(page: &mut Page, compose: Option<&Compose<'_>>) {
    let limits: [(&str, &str, &[&str], &str); 3] = [
        (
            "lease",
            "30s",
            &["lease", "visibility"],
            "how long a worker may keep a task without a sign of life",
        ),
        (
            "backoff",
            "60s",
            &["backoffmax", "maxbackoff", "retrymax"],
            "the longest pause before the next attempt",
        ),
        (
            "max_failures",
            "3",
            &["maxfailures", "maxattempts", "maxretries", "maxtries"],
            "failed attempts that end a task",
        ),
    ];
    for (key, usual, names, what) in limits {
        let fits = |name: &str| names.iter().any(|part| folded(name).contains(part));
        let set = compose.and_then(|compose| compose.setting(fits));
        let number = key == "max_failures";
        match set.and_then(|(service, name, value)| Some((service, amount(&name, &value, number)?, name))) {
            Some((service, value, name)) => {
                page.guess(4, format!("{key}: {value}"), format!("`{service}` is given {name}"))
            }
            None => page.guess(4, format!("{key}: {usual}"), format!("a usual value: {what}")),
        }
    }
}

/// A setting as an amount; its unit may stand in its name.
fn amount(name: &str, value: &str, number: bool) -> Option<String> {
    let digits = !value.is_empty() && value.chars().all(|c| c.is_ascii_digit());
    if number || !digits {
        let fits = if number {
            digits
        } else {
            value.parse::<crate::amount::Dur>().is_ok()
        };
        return fits.then(|| value.to_owned());
    }
    let name = folded(name);
    let unit = if name.ends_with("ms") || name.ends_with("millis") || name.ends_with("milliseconds") {
        "ms"
    } else {
        "s"
    };
    Some(format!("{value}{unit}"))
}
