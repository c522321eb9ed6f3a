//! A first system file, from what a project already has: a Compose file, an API's description (OpenAPI 3), or both.
//!
//! ```text
//! compose.yaml ---> Parts --+
//!                           +--> Page: lines, each plain, guessed (why), or left to do (what) --> system.yaml
//! openapi.json ---> Api  ---+
//! ```
//!
//! Nothing is said as if it were known: what no file says is a guess with its reason beside it, and what can't be
//! guessed is a line that says what to write.

mod api;
mod auth;
mod body;
mod compose;
mod fill;
mod page;
mod parts;
mod schema;
mod tasks;
mod words;

use serde_json::Value;

use self::api::Api;
use self::compose::Compose;
use self::page::{Note, Page};
use crate::diagnostic::Mistakes;
use crate::document::Document;

/// A file that something can be guessed from.
#[derive(Debug)]
pub struct Source {
    name: String,
    what: What,
}

#[derive(Debug)]
enum What {
    Compose(Value),
    OpenApi(Value),
}

/// A first system file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Its text.
    pub text: String,
    /// How many of its lines are guesses.
    pub guesses: usize,
    /// What it leaves to do.
    pub todo: Vec<Todo>,
}

/// A line that needs a hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Todo {
    /// Which, from 1.
    pub line: usize,
    /// What to write there.
    pub what: String,
}

impl Source {
    /// Reads a file, YAML or JSON, and finds out which of the two it is.
    ///
    /// # Errors
    /// It is neither a Compose file nor an OpenAPI 3 document.
    pub fn read(name: &str, text: &str) -> Result<Self, Mistakes> {
        let doc = Document::foreign(name, text)?;
        let value: Value = doc.read()?;
        let refuse = |pointer: &str, what: &str, help: &str| {
            Err(doc.mistakes(vec![doc.mistake(pointer, what, Some(help.to_owned()))]))
        };
        let what = if value["openapi"]
            .as_str()
            .is_some_and(|version| version.starts_with("3."))
        {
            What::OpenApi(value)
        } else if value.get("openapi").is_some() || value.get("swagger").is_some() {
            let pointer = if value.get("openapi").is_some() {
                "/openapi"
            } else {
                "/swagger"
            };
            return refuse(
                pointer,
                "only OpenAPI 3 is read",
                "convert it, or have your framework write version 3",
            );
        } else if value["services"].is_object() {
            What::Compose(value)
        } else {
            let help = "a Compose file has `services:`, an OpenAPI document `openapi: 3…`";
            return refuse("", "this is neither a Compose file nor an OpenAPI document", help);
        };
        Ok(Self {
            name: name.to_owned(),
            what,
        })
    }

    /// What it is, in words: `compose.yaml: a Compose file, 3 services`.
    pub fn says(&self) -> String {
        let name = &self.name;
        match &self.what {
            What::Compose(value) => format!("{name}: a Compose file, {} services", size(&value["services"])),
            What::OpenApi(value) => format!("{name}: an OpenAPI document, {} paths", size(&value["paths"])),
        }
    }
}

fn size(map: &Value) -> usize {
    map.as_object().map_or(0, serde_json::Map::len)
}

/// Writes a first system file from `sources`, of each kind the first; `folder` is what it is called when none of them
/// has a name.
pub fn draft(folder: &str, sources: &[Source]) -> Draft {
    let first = |take: fn(&What) -> Option<&Value>| sources.iter().find_map(|source| take(&source.what));
    let compose = first(|what| match what {
        What::Compose(value) => Some(value),
        What::OpenApi(_) => None,
    });
    let compose = compose.map(Compose::new);
    let api = first(|what| match what {
        What::OpenApi(value) => Some(value),
        What::Compose(_) => None,
    });
    let api = api.map(Api::new);
    let mut page = Page::default();
    let from: Vec<String> = sources.iter().map(|source| source.name.clone()).collect();
    page.say(
        0,
        format!("# A first system file, by `squall init` from {}.", from.join(" and ")),
    );
    page.say(
        0,
        "# Read every line with a `# guessed` or `# TODO`; the book explains each key (System files).",
    );
    let named = compose
        .as_ref()
        .and_then(Compose::name)
        .or(api.as_ref().and_then(Api::title));
    match named.map(page::slug).filter(|name| !name.is_empty()) {
        Some(name) => page.say(0, format!("system: {}", page::scalar(&name))),
        None => {
            let name = page::scalar(&page::slug(folder));
            page.note(0, format!("system: {name}"), Note::guess("the folder's name"));
        }
    }
    page.todo(0, "if it must be built first: `build: COMMAND`");
    parts::write(&mut page, compose.as_ref(), api.as_ref());
    match &api {
        Some(api) => contracts(&mut page, api, compose.as_ref()),
        None => {
            page.todo(
                0,
                "`contracts:`, how it is spoken to, for example as below; with an OpenAPI document `squall init --from` guesses them",
            );
            SKELETON.lines().for_each(|line| page.say(0, line));
        }
    }
    page.finish()
}

/// The least with which a system can be run.
const SKELETON: &str = "\
# contracts:
#   health: { ready: /health }                         # 200 while it can serve, 503 while it can't
#   api:
#     - { method: GET, path: /items, expect: 200 }     # what it promises
#   tasks: …                                           # where it takes work: see System files in the book";

fn contracts(page: &mut Page, api: &Api<'_>, compose: Option<&Compose<'_>>) {
    page.say(0, "");
    page.say(0, "contracts:");
    api.write_health(page);
    let auth = auth::Auth::find(api, compose);
    auth.write_session(page);
    let tasks = tasks::Found::find(api);
    match &tasks {
        Some(tasks) => tasks.write(page, api, &auth, compose),
        None => page.todo(
            2,
            "`tasks:`, how work is created and read back: no POST on a collection was found whose items have a state",
        ),
    }
    api.write_cases(page, &auth, tasks.as_ref().map(|tasks| &tasks.show));
}
