//! Asking as a contract says: sessions, tasks, the API's cases; and what each answer gives to the
//! requests after it.

use std::time::{Duration, Instant};

use rand::RngExt;
use serde_json::Value;
use squall_core::contract::{ApiCase, Contracts, Method, Request, Tasks};
use squall_core::event::{Answer, Outcome};
use squall_core::expr::UnknownName;

use super::{Call, Client, Judged, Names, Reply, Silence, fill_json, take};

/// A session must be open after this long.
const WELCOME: Duration = Duration::from_secs(10);
/// Between two tries to open one.
const AGAIN: Duration = Duration::from_millis(50);

/// A request of a contract, and what came of it.
#[derive(Debug)]
pub struct Asked {
    /// What was sent.
    pub call: Call,
    /// What came back.
    pub reply: Reply,
    /// That, held against what was promised.
    pub judged: Judged,
    /// What the answer gives to later requests, by name.
    pub taken: Vec<(String, Value)>,
}

/// A task that was asked for.
#[derive(Debug)]
pub struct Created {
    /// The request and its answer.
    pub asked: Asked,
    /// The payload that was sent.
    pub payload: Value,
    /// The id the system acknowledged it with, as a text.
    pub task: Option<String>,
    /// The same as it was in the answer: a number stays one.
    pub id: Option<Value>,
}

impl Asked {
    fn json(&self) -> Value {
        let answered = self.reply.what.as_ref().ok();
        answered.and_then(|answered| answered.json.clone()).unwrap_or_default()
    }
}

impl Created {
    /// What came of a request made by [`tasks_create`].
    pub fn of(tasks: &Tasks, (call, payload): (Call, Value), reply: Reply) -> Self {
        let judged = reply.judge(Some(tasks.create.expect), None);
        let mut asked = Asked {
            call,
            reply,
            judged,
            taken: Vec::new(),
        };
        let right = asked.judged.answer == Answer::Right;
        let id = right.then(|| take(&asked.json(), &tasks.create.id)).flatten();
        let task = id
            .as_ref()
            .map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned));
        if right && task.is_none() {
            asked.judged.answer = Answer::Wrong;
            asked.judged.outcome = Outcome::Unknown;
            asked.judged.fault = Some(format!("the answer has no {}", tasks.create.id));
        }
        Self {
            asked,
            payload,
            task,
            id,
        }
    }
}

/// The request that creates a task of a type, and the payload in it with its `${…}` filled in.
///
/// # Errors
/// A name in it stands for nothing.
pub fn tasks_create(
    tasks: &Tasks,
    (type_name, payload): (&str, &Value),
    names: &Names,
) -> Result<(Call, Value), UnknownName> {
    let payload = fill_json(payload, names)?;
    let names = names.with("type", type_name).with("payload", payload.clone());
    let call = Call {
        method: tasks.create.method,
        path: names.text(&tasks.create.path)?,
        headers: names.map(&tasks.headers)?,
        json: Some(fill_json(&tasks.create.json, &names)?),
    };
    Ok((call, payload))
}

impl Names {
    /// Somebody new, who may register as `${user}` with `${password}`: random letters after `prefix`.
    pub fn stranger(prefix: &str) -> Self {
        let mut rng = rand::rng();
        let mut letters = |count: usize| -> String {
            (0..count)
                .map(|_| char::from(rng.sample(rand::distr::Alphanumeric)).to_ascii_lowercase())
                .collect()
        };
        let mut names = Self::default();
        names.set("user", format!("{prefix}{}", letters(8)));
        names.set("password", letters(20));
        names
    }
}

impl Client {
    /// Whether nobody is there at all: the connection is refused.
    pub async fn deserted(&self) -> bool {
        let call = Call {
            method: Method::Get,
            path: "/".to_owned(),
            headers: Default::default(),
            json: None,
        };
        matches!(self.send(&call).await.what, Err(Silence::Refused))
    }

    /// Sends one request of those that open a session. Tries again while nobody is there to answer
    /// it: a system may say too early that it is ready, which is for others to find.
    ///
    /// # Errors
    /// Why it can't be made, or was not answered as it must be.
    pub async fn open(&self, request: &Request, names: &Names) -> Result<Asked, String> {
        let fill = || -> Result<Call, UnknownName> {
            Ok(Call {
                method: request.method,
                path: names.text(&request.path)?,
                headers: names.map(&request.headers)?,
                json: request.json.as_ref().map(|json| fill_json(json, names)).transpose()?,
            })
        };
        let call = fill().map_err(|name| name.to_string())?;
        let until = Instant::now() + WELCOME;
        let (reply, judged) = loop {
            let reply = self.send(&call).await;
            let judged = reply.judge(request.expect, None);
            let absent = matches!(judged.answer, Answer::Refused | Answer::Down);
            if !absent || Instant::now() > until {
                break (reply, judged);
            }
            tokio::time::sleep(AGAIN).await;
        };
        if judged.answer != Answer::Right {
            return Err(judged.fault.unwrap_or_else(|| "was refused".to_owned()));
        }
        let mut asked = Asked {
            call,
            reply,
            judged,
            taken: Vec::new(),
        };
        let json = asked.json();
        for (name, path) in &request.take {
            let value = take(&json, path).ok_or_else(|| format!("the answer has no {path}"))?;
            asked.taken.push((name.clone(), value));
        }
        Ok(asked)
    }

    /// Asks for a task of a type, with a payload whose `${…}` are filled in, too.
    ///
    /// # Errors
    /// A name in it stands for nothing.
    pub async fn create(
        &self,
        tasks: &Tasks,
        (type_name, payload): (&str, &Value),
        names: &Names,
    ) -> Result<Created, UnknownName> {
        let (call, payload) = tasks_create(tasks, (type_name, payload), names)?;
        let reply = self.send(&call).await;
        Ok(Created::of(tasks, (call, payload), reply))
    }

    /// Sends one case of the API.
    ///
    /// # Errors
    /// It names something that is not known yet.
    pub async fn try_case(&self, contracts: &Contracts, case: &ApiCase, names: &Names) -> Result<Asked, UnknownName> {
        let (call, has) = prepare_case(contracts, case, names)?;
        let reply = self.send(&call).await;
        let judged = reply.judge(Some(case.expect), has.as_ref());
        let mut asked = Asked {
            call,
            reply,
            judged,
            taken: Vec::new(),
        };
        let json = asked.json();
        for (name, path) in &case.take {
            match take(&json, path) {
                Some(value) => asked.taken.push((name.clone(), value)),
                None if asked.judged.answer == Answer::Right => {
                    asked.judged.answer = Answer::Wrong;
                    asked.judged.fault = Some(format!("the answer has no {path}"));
                }
                None => {}
            }
        }
        Ok(asked)
    }

    /// Every case of the API once, in its order; what a case gives, later ones may use. `each` is
    /// told what came of it, or which name a case needed that none before it gave.
    pub async fn survey(
        &self,
        contracts: &Contracts,
        mut names: Names,
        mut each: impl FnMut(&ApiCase, Result<Asked, UnknownName>),
    ) {
        for case in &contracts.api {
            let asked = self.try_case(contracts, case, &names).await;
            for (name, value) in asked.iter().flat_map(|asked| &asked.taken) {
                names.set(name, value.clone());
            }
            each(case, asked);
        }
    }
}

fn prepare_case(contracts: &Contracts, case: &ApiCase, names: &Names) -> Result<(Call, Option<Value>), UnknownName> {
    let mut headers = names.map(&case.headers)?;
    if case.auth
        && let Some(tasks) = &contracts.tasks
    {
        headers.extend(names.map(&tasks.headers)?);
    }
    let fill = |json: &Option<Value>| json.as_ref().map(|json| fill_json(json, names)).transpose();
    let call = Call {
        method: case.method,
        path: names.text(&case.path)?,
        headers,
        json: fill(&case.json)?,
    };
    Ok((call, fill(&case.has)?))
}
