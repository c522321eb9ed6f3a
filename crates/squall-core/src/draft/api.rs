//! An OpenAPI document: its operations, where it tells how it is, what can be asked without knowing anything.

use serde_json::{Map, Value, json};

use super::auth::Auth;
use super::page::{Page, flow, scalar};
use super::schema::Schemas;
use super::words::ends;

/// Where a process says that it lives.
const LIVE: &str = "live livez alive liveness";
/// Where a service says that it can serve.
const READY: &str = "ready readyz readiness";
/// Where it says either.
const HEALTH: &str = "health healthz healthcheck healthy heartbeat ping status up";

/// The document.
#[derive(Debug)]
pub(super) struct Api<'a> {
    root: &'a Value,
    pub(super) schemas: Schemas<'a>,
    pub(super) operations: Vec<Operation<'a>>,
}

/// A method of a path.
#[derive(Debug, Clone)]
pub(super) struct Operation<'a> {
    pub(super) method: &'static str,
    /// With the server's prefix, parameters as `{name}`.
    pub(super) path: String,
    pub(super) secured: bool,
    item: &'a Value,
    of: &'a Value,
}

impl<'a> Api<'a> {
    pub(super) fn new(root: &'a Value) -> Self {
        let schemas = Schemas(root);
        let prefix = root["servers"][0]["url"].as_str().map_or(String::new(), prefix);
        let mut operations = Vec::new();
        for (path, item) in root["paths"].as_object().into_iter().flatten() {
            let item = schemas.of(item);
            for (word, method) in [("get", "GET"), ("post", "POST")] {
                let Some(of) = item.get(word) else { continue };
                let security = of.get("security").unwrap_or(&root["security"]).as_array();
                // An empty entry means: or without.
                let free = |entry: &Value| entry.as_object().is_some_and(Map::is_empty);
                operations.push(Operation {
                    method,
                    path: format!("{prefix}{path}"),
                    secured: security.is_some_and(|all| !all.is_empty() && !all.iter().any(free)),
                    item,
                    of,
                });
            }
        }
        Self {
            root,
            schemas,
            operations,
        }
    }

    pub(super) fn title(&self) -> Option<&'a str> {
        self.root["info"]["title"].as_str()
    }

    /// The ways to show who asks.
    pub(super) fn schemes(&self) -> Vec<&'a Value> {
        let schemes = self.root["components"]["securitySchemes"].as_object();
        schemes
            .into_iter()
            .flatten()
            .map(|(_, scheme)| self.schemas.of(scheme))
            .collect()
    }

    /// The status of a success, and the schema of its JSON.
    pub(super) fn success(&self, operation: &Operation<'a>) -> Option<(u16, Option<&'a Value>)> {
        let responses = operation.of["responses"].as_object()?;
        let mut codes: Vec<(u16, &Value)> = responses
            .iter()
            .filter_map(|(code, response)| {
                let code = if code.eq_ignore_ascii_case("2xx") {
                    "200"
                } else {
                    code.as_str()
                };
                Some((code.parse().ok()?, response))
            })
            .filter(|(code, _)| (200..300).contains(code))
            .collect();
        // What makes something says so; 200 beside it is an answer to asking again.
        let rank = |code: u16| match (operation.method, code) {
            ("POST", 201 | 202) => 0,
            _ => code,
        };
        codes.sort_by_key(|(code, _)| rank(*code));
        let (code, response) = *codes.first()?;
        Some((code, json_schema(self.schemas.of(response))))
    }

    /// The schema of the JSON it takes.
    pub(super) fn body(&self, operation: &Operation<'a>) -> Option<&'a Value> {
        json_schema(self.schemas.of(operation.of.get("requestBody")?))
    }

    /// Whether it takes a form, which no request of a contract is.
    pub(super) fn takes_form(&self, operation: &Operation<'a>) -> bool {
        let Some(body) = operation.of.get("requestBody") else {
            return false;
        };
        self.schemas.of(body)["content"]
            .get("application/x-www-form-urlencoded")
            .is_some()
    }

    /// Whether it can be asked without knowing anything.
    fn bare(&self, operation: &Operation<'a>) -> bool {
        let lists = [&operation.item["parameters"], &operation.of["parameters"]];
        let mut parameters = lists.into_iter().filter_map(Value::as_array).flatten();
        !operation.path.contains('{') && !parameters.any(|one| self.schemas.of(one)["required"] == true)
    }

    /// Everything that can be asked so.
    pub(super) fn questions(&self) -> impl Iterator<Item = &Operation<'a>> {
        self.operations
            .iter()
            .filter(|one| one.method == "GET" && self.bare(one))
    }

    /// The path that tells of readiness, for the start.
    pub(super) fn ready(&self) -> Option<&str> {
        let open = || self.questions().filter(|one| !one.secured);
        let found = open()
            .find(|one| ends(&one.path, READY))
            .or_else(|| open().find(|one| ends(&one.path, HEALTH)));
        found.map(|one| one.path.as_str())
    }

    pub(super) fn write_health(&self, page: &mut Page) {
        let Some(ready) = self.ready() else {
            page.todo(
                2,
                "`health: { live: PATH, ready: PATH }`, where it says that it lives, and that it can serve (200, else 503)",
            );
            return;
        };
        let live = self.questions().find(|one| !one.secured && ends(&one.path, LIVE));
        let (live, why) = match live {
            Some(live) => (format!("live: {}, ", scalar(&live.path)), "by their names"),
            None => (
                String::new(),
                "by its name; it must answer 503 while the service can't serve",
            ),
        };
        page.guess(2, format!("health: {{ {live}ready: {} }}", scalar(ready)), why);
    }

    /// The promises: what can be asked without knowing anything, health first, and the task by its id.
    pub(super) fn write_cases(&self, page: &mut Page, auth: &Auth, task: Option<&Operation<'a>>) {
        let mut asked: Vec<&Operation<'a>> = self.questions().filter(|one| self.success(one).is_some()).collect();
        asked.sort_by_key(|one| {
            let health = [LIVE, READY, HEALTH].iter().any(|words| ends(&one.path, words));
            // Long answers of everything there is come last.
            (!health, one.secured)
        });
        if asked.is_empty() && task.is_none() {
            page.todo(
                2,
                "`api:`, a list of promises: `- { method: GET, path: /…, expect: 200 }`",
            );
            return;
        }
        page.say(2, "api:");
        for operation in asked {
            let Some((code, schema)) = self.success(operation) else {
                continue;
            };
            let mut case = json!({ "method": "GET", "path": operation.path });
            self.finish_case(&mut case, operation, auth, task.is_some());
            case["expect"] = code.into();
            if let Some(has) = schema.and_then(|schema| self.shape(schema)) {
                case["has"] = has;
            }
            let why = "documented, and it needs no parameter";
            page.guess(4, format!("- {}", flow(&case)), why);
        }
        if let Some(show) = task {
            let mut case = json!({ "method": "GET", "path": with_hole(&show.path, "${task}") });
            self.finish_case(&mut case, show, auth, true);
            case["expect"] = self.success(show).map_or(200, |(code, _)| code).into();
            page.guess(
                4,
                format!("- {}", flow(&case)),
                "a task acknowledged before can be asked for",
            );
        }
    }

    fn finish_case(&self, case: &mut Value, operation: &Operation<'a>, auth: &Auth, tasks: bool) {
        match (operation.secured, tasks) {
            (true, true) => case["auth"] = true.into(),
            (true, false) => case["headers"] = auth.headers_value(),
            (false, _) => {}
        }
    }

    /// What an answer has at least: that it is an object or a list, and the lists an object must have.
    fn shape(&self, schema: &'a Value) -> Option<Value> {
        if self.schemas.is(schema, "array") {
            return Some(json!([]));
        }
        let mut has = Map::new();
        for property in self.schemas.properties(schema) {
            if property.required && self.schemas.is(property.schema, "array") {
                has.insert(property.name.to_owned(), json!([]));
            }
        }
        self.schemas.is(schema, "object").then_some(Value::Object(has))
    }
}

/// A path with what stands for its last parameter.
pub(super) fn with_hole(path: &str, hole: &str) -> String {
    match path.rfind('{') {
        Some(at) => format!("{}{hole}", &path[..at]),
        None => path.to_owned(),
    }
}

fn json_schema(holder: &Value) -> Option<&Value> {
    let content = holder["content"].as_object()?;
    let json = content
        .iter()
        .find(|(kind, _)| kind.starts_with("application/") && kind.contains("json"));
    json.or_else(|| content.iter().find(|(kind, _)| *kind == "*/*"))?
        .1
        .get("schema")
}

/// The path of a server's address, without a slash at its end.
fn prefix(url: &str) -> String {
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
        None => url,
    };
    let path = path.trim_end_matches('/');
    match path.starts_with('/') && !path.contains('{') {
        true => path.to_owned(),
        false => String::new(),
    }
}
