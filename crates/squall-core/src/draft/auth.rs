//! Who asks: a token from logging in, or a key in a header.

use serde_json::{Map, Value, json};

use super::api::{Api, Operation};
use super::compose::Compose;
use super::page::{Note, Page, flow, literal, scalar};
use super::words::{ends, folded, named};

const USER: &str = "username user login name handle account userid nickname";
const EMAIL: &str = "email mail emailaddress";
const PASSWORD: &str = "password pass passwd passphrase secret passwordconfirm passwordconfirmation confirmpassword repeatpassword password2";
const TOKEN: &str = "token accesstoken jwt authtoken access idtoken bearertoken sessiontoken";
const LOGIN: &str = "login signin logon token authenticate session sessions auth";
const REGISTER: &str = "register signup registration users user accounts account";
const SELF: &str = "me whoami profile self";

/// How requests show who asks.
#[derive(Debug, Default)]
pub(super) struct Auth {
    /// Lines of `session`, and why.
    session: Vec<(String, String)>,
    check: Option<String>,
    /// Name, value, and what is to be said of it.
    header: Option<(String, String, Note)>,
    /// What can't be expressed.
    todo: Option<String>,
}

impl Auth {
    pub(super) fn find(api: &Api<'_>, compose: Option<&Compose<'_>>) -> Self {
        let mut auth = Self::default();
        let schemes = api.schemes();
        let bearer = |scheme: &&Value| {
            scheme["scheme"]
                .as_str()
                .is_some_and(|word| word.eq_ignore_ascii_case("bearer"))
                || scheme["type"] == "oauth2"
        };
        if schemes.iter().any(bearer) {
            auth.bearer(api);
        } else if let Some(scheme) = schemes
            .iter()
            .find(|scheme| scheme["type"] == "apiKey" && scheme["in"] == "header")
        {
            let header = scheme["name"].as_str().unwrap_or("x-api-key").to_ascii_lowercase();
            auth.key(header, compose);
        } else if let Some(scheme) = schemes.first() {
            let kind = scheme["type"].as_str().unwrap_or("unknown");
            auth.todo = Some(format!(
                "`headers:` that show who asks; the API's own way ({kind}) can't be guessed"
            ));
        }
        auth
    }

    fn bearer(&mut self, api: &Api<'_>) {
        let open = |words: &str| {
            let posts = api
                .operations
                .iter()
                .filter(|one| one.method == "POST" && !one.secured && ends(&one.path, words));
            posts.into_iter().find_map(|one| Some((one, credentials(api, one)?)))
        };
        let Some((login, json)) = open(LOGIN) else {
            let form = api
                .operations
                .iter()
                .find(|one| ends(&one.path, LOGIN) && api.takes_form(one));
            let what = match form {
                Some(form) => format!("a token; `{}` takes a form, and only JSON can be sent", form.path),
                None => "a token, or a `session` that takes one: no path to log in was found".to_owned(),
            };
            self.header = Some((
                "authorization".to_owned(),
                "Bearer change-me".to_owned(),
                Note::Todo(what),
            ));
            return;
        };
        if let Some((register, json)) = open(REGISTER) {
            let mut request = json!({ "method": "POST", "path": register.path, "json": json });
            expect(&mut request, api, register);
            self.session
                .push((flow(&request), "by its name and its `password`".to_owned()));
        }
        let mut request = json!({ "method": "POST", "path": login.path, "json": json });
        expect(&mut request, api, login);
        let schema = api.success(login).and_then(|(_, schema)| schema);
        let taken = |words: &'static str| {
            let schema = schema?;
            api.schemas
                .find(schema, |_, property| named(property.name, words))
                .map(|(path, _)| path)
        };
        let (token, why) = match taken(TOKEN) {
            Some(path) => (path, "by its name and its `password`"),
            None => (
                "$.token".to_owned(),
                "by its name; where the token is in the answer is not documented",
            ),
        };
        let mut take = Map::new();
        take.insert("token".to_owned(), token.into());
        take.extend(taken("userid uid accountid").map(|path| ("user_id".to_owned(), path.into())));
        request["take"] = take.into();
        self.session.push((flow(&request), why.to_owned()));
        self.header = Some((
            "authorization".to_owned(),
            "Bearer ${token}".to_owned(),
            Note::guess("the API's scheme is bearer"),
        ));
        let me = api.questions().find(|one| one.secured && ends(&one.path, SELF));
        self.check = me.map(|me| {
            let code = api.success(me).map_or(200, |(code, _)| code);
            flow(&json!({ "method": "GET", "path": me.path, "headers": self.headers_value(), "expect": code }))
        });
    }

    fn key(&mut self, header: String, compose: Option<&Compose<'_>>) {
        let means = |name: &str| {
            let name = folded(name);
            name.contains("apikey") || name.ends_with(&folded(header.trim_start_matches("x-")))
        };
        let set = compose.and_then(|compose| compose.setting(means));
        self.header = Some(match set {
            Some((service, name, value)) => {
                let why = format!("the API asks for a key, and `{service}` is given {name}");
                (header, literal(&value), Note::Guess(why))
            }
            None => {
                let what = "the key the service is started with; no login is needed".to_owned();
                (header, "change-me".to_owned(), Note::Todo(what))
            }
        });
    }

    /// The headers as a value.
    pub(super) fn headers_value(&self) -> Value {
        let header = self
            .header
            .iter()
            .map(|(name, value, _)| (name.clone(), Value::from(value.as_str())));
        Value::Object(header.collect())
    }

    /// `session` and `session_check`.
    pub(super) fn write_session(&self, page: &mut Page) {
        if !self.session.is_empty() {
            page.say(2, "session:");
        }
        for (request, why) in &self.session {
            page.guess(4, format!("- {request}"), why.as_str());
        }
        if let Some(check) = &self.check {
            page.guess(2, format!("session_check: {check}"), "it answers whoever is logged in");
        }
    }

    /// `headers`, at an indent.
    pub(super) fn write_headers(&self, page: &mut Page, indent: usize) {
        if let Some((name, value, note)) = &self.header {
            page.say(indent, "headers:");
            page.note(indent + 2, format!("{}: {}", scalar(name), scalar(value)), note.clone());
        }
        if let Some(todo) = &self.todo {
            page.todo(indent, todo.as_str());
        }
    }
}

fn expect(request: &mut Value, api: &Api<'_>, operation: &Operation<'_>) {
    if let Some((code, _)) = api.success(operation) {
        request["expect"] = code.into();
    }
}

/// The JSON of a request with a password in it; `None` if it has none.
fn credentials<'a>(api: &Api<'a>, operation: &Operation<'a>) -> Option<Value> {
    let properties = api.schemas.properties(api.body(operation)?);
    if !properties.iter().any(|property| named(property.name, PASSWORD)) {
        return None;
    }
    let mut json = Map::new();
    for property in properties {
        let value = if named(property.name, PASSWORD) {
            "${password}".into()
        } else if named(property.name, EMAIL) {
            "${user}@example.test".into()
        } else if named(property.name, USER) {
            "${user}".into()
        } else if property.required {
            api.schemas.example(property.schema)
        } else {
            continue;
        };
        json.insert(property.name.to_owned(), value);
    }
    Some(json.into())
}
