//! `squall proxy` as clients of Toxiproxy meet it: its answers, its quirks, and its own client libraries, unchanged.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking, too")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const PYTHON: &str = include_str!("toxiproxy/client.py");
const GO: &str = include_str!("toxiproxy/client.go");

/// A server of its own, ended when the test ends.
struct Server {
    child: Child,
    addr: String,
}

impl Server {
    fn start(more: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_squall"))
            .args(["proxy", "-host", "127.0.0.1", "-port", "0"])
            .args(more)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let addr = line.split("http://").nth(1).and_then(|rest| rest.split(',').next());
        let addr = addr.unwrap_or_else(|| panic!("it says {line:?}")).to_owned();
        Self { child, addr }
    }

    /// The status, the content type and the body of an answer.
    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(&self.addr).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut all = String::new();
        stream.read_to_string(&mut all).unwrap();
        let (head, body) = all.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let kind = head
            .lines()
            .find_map(|line| line.strip_prefix("content-type: "))
            .unwrap_or("");
        (status, kind.to_owned(), body.to_owned())
    }

    fn json(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let (status, _, body) = self.ask(method, path, &body.to_string());
        (status, serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    /// Demands that a request is refused, in these words.
    fn refuses(&self, (method, path, body): (&str, &str, &str), (status, error): (u16, &str)) {
        let (code, kind, body) = self.ask(method, path, body);
        let said: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (code, &said["status"]),
            (status, &json!(status)),
            "{method} {path}: {body}"
        );
        assert!(
            said["error"].as_str().unwrap().starts_with(error),
            "{method} {path}: {body}"
        );
        assert_eq!(kind, "text/plain; charset=utf-8");
    }

    /// A proxy in front of an echo, and where it listens.
    fn echo(&self, name: &str) -> String {
        let upstream = echo();
        let (status, made) = self.json("POST", "/proxies", &json!({ "name": name, "upstream": upstream }));
        assert_eq!(status, 201, "{made}");
        made["listen"].as_str().unwrap().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// A server that sends everything back.
fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || _ = std::io::copy(&mut &stream, &mut &stream));
        }
    });
    addr
}

fn round_trip(stream: &mut TcpStream) -> Duration {
    let start = Instant::now();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(b"ping").unwrap();
    let mut back = [0; 4];
    stream.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"ping");
    start.elapsed()
}

#[test]
fn every_address_answers_with_toxiproxys_codes_and_words() {
    let server = Server::start(&[]);
    let refused = |method, path, body: &str, status, error| server.refuses((method, path, body), (status, error));
    assert_eq!(server.ask("GET", "/proxies", "").2, "{}");
    assert!(server.ask("GET", "/version", "").2.starts_with("{\"version\": \"2."));
    refused("POST", "/proxies", "nonsense", 400, "bad request body: ");
    refused(
        "POST",
        "/proxies",
        "{\"upstream\":\"x:1\"}",
        400,
        "missing required field: name",
    );
    refused(
        "POST",
        "/proxies",
        "{\"name\":\"x\"}",
        400,
        "missing required field: upstream",
    );
    server.echo("db");
    refused(
        "POST",
        "/proxies",
        "{\"name\":\"db\",\"upstream\":\"x:1\"}",
        409,
        "proxy already exists",
    );
    refused("GET", "/proxies/no", "", 404, "proxy not found");
    refused("DELETE", "/proxies/no", "", 404, "proxy not found");
    refused("POST", "/proxies/no/toxics", "{}", 404, "proxy not found");
    let toxics = "/proxies/db/toxics";
    refused("POST", toxics, "{\"type\":\"no\"}", 400, "invalid toxic type");
    refused(
        "POST",
        toxics,
        "{\"type\":\"latency\",\"stream\":\"x\"}",
        400,
        "stream was invalid",
    );
    refused(
        "POST",
        toxics,
        "{\"type\":\"latency\",\"attributes\":{\"latency\":\"x\"}}",
        400,
        "bad request body: ",
    );
    refused("DELETE", "/proxies/db/toxics/no", "", 404, "toxic not found");
}

#[test]
fn a_toxic_is_shown_changed_and_removed_as_toxiproxy_does() {
    let server = Server::start(&[]);
    let (listen, toxics) = (server.echo("db"), "/proxies/db/toxics");
    let (status, made) = server.json(
        "POST",
        toxics,
        &json!({ "type": "latency", "attributes": { "latency": 5 } }),
    );
    let latency = json!({
        "attributes": { "latency": 5, "jitter": 0 }, "name": "latency_downstream", "type": "latency",
        "stream": "downstream", "toxicity": 1.0,
    });
    assert_eq!((status, &made), (200, &latency));
    server.refuses(
        ("POST", toxics, "{\"type\":\"latency\"}"),
        (409, "toxic already exists"),
    );
    let (status, shown) = server.json(
        "PATCH",
        "/proxies/db/toxics/latency_downstream",
        &json!({
            "attributes": { "jitter": 1 }, "toxicity": 0.5, "stream": "upstream", "name": "other",
        }),
    );
    assert_eq!(
        (status, &shown["attributes"], &shown["toxicity"]),
        (200, &json!({"latency": 5, "jitter": 1}), &json!(0.5))
    );
    assert_eq!(
        (&shown["stream"], &shown["name"]),
        (&json!("downstream"), &json!("latency_downstream"))
    );
    server.json("POST", toxics, &json!({ "type": "noop", "stream": "upstream" }));
    let (_, shown) = server.json("GET", "/proxies/db", &Value::Null);
    assert_eq!(shown["toxics"][0]["name"], "noop_upstream");
    assert_eq!((&shown["listen"], &shown["enabled"]), (&json!(listen), &json!(true)));
    assert_eq!(server.ask("POST", "/reset", "").0, 204);
    assert_eq!(server.json("GET", toxics, &Value::Null).1, json!([]));
    assert_eq!(server.ask("DELETE", "/proxies/db", "").0, 204);
    assert!(TcpStream::connect(listen).is_err());
    assert_eq!(server.ask("GET", "/metrics", "").0, 404);
}

#[test]
fn populating_leaves_alone_what_is_there_and_says_what_was_wrong() {
    let server = Server::start(&["--proxy-metrics"]);
    let upstream = echo();
    let list = json!([{ "name": "a", "listen": "localhost:0", "upstream": upstream }]);
    let (status, made) = server.json("POST", "/populate", &list);
    assert_eq!(status, 201, "{made}");
    let listen = made["proxies"][0]["listen"].as_str().unwrap().to_owned();
    server.json("POST", "/proxies/a/toxics", &json!({ "type": "noop" }));
    let again = json!([{ "name": "a", "listen": listen, "upstream": upstream }]);
    let (_, made) = server.json("POST", "/populate", &again);
    assert_eq!(made["proxies"][0]["toxics"][0]["name"], "noop_downstream");
    let (status, made) = server.json(
        "POST",
        "/populate",
        &json!([{ "name": "b", "upstream": upstream }, { "name": "c" }]),
    );
    assert_eq!(
        (status, &made["error"]),
        (400, &json!("missing required field: upstream at proxy 2"))
    );
    round_trip(&mut TcpStream::connect(&listen).unwrap());
    let metrics = server.ask("GET", "/metrics", "").2;
    assert!(
        metrics.contains("toxiproxy_proxy_received_bytes_total{direction=\"upstream\",proxy=\"a\""),
        "{metrics}"
    );
}

#[test]
fn a_proxy_that_is_disabled_refuses_and_one_that_leads_elsewhere_drops_its_connections() {
    let server = Server::start(&[]);
    let listen = server.echo("db");
    let mut stream = TcpStream::connect(&listen).unwrap();
    round_trip(&mut stream);
    assert_eq!(
        server.json("POST", "/proxies/db", &json!({ "enabled": false })).1["enabled"],
        false
    );
    assert!(!matches!(stream.read(&mut [0; 1]), Ok(1..)));
    assert!(TcpStream::connect(&listen).is_err());
    server.json("PATCH", "/proxies/db", &json!({ "enabled": true }));
    let mut stream = TcpStream::connect(&listen).unwrap();
    round_trip(&mut stream);
    let (_, shown) = server.json("PATCH", "/proxies/db", &json!({ "upstream": echo() }));
    assert_eq!(shown["listen"], json!(listen));
    assert!(!matches!(stream.read(&mut [0; 1]), Ok(1..)));
    round_trip(&mut TcpStream::connect(&listen).unwrap());
}

#[test]
fn removing_any_toxic_takes_effect_at_once_and_never_hangs() {
    let server = Server::start(&[]);
    let toxics = [
        json!({ "type": "latency", "attributes": { "latency": 60_000 } }),
        json!({ "type": "bandwidth", "attributes": { "rate": 1 } }),
        json!({ "type": "slow_close", "attributes": { "delay": 60_000 } }),
        json!({ "type": "timeout", "attributes": { "timeout": 0 } }),
        json!({ "type": "reset_peer", "attributes": { "timeout": 60_000 } }),
        json!({ "type": "slicer", "attributes": { "average_size": 1, "delay": 1_000_000 } }),
        json!({ "type": "limit_data", "attributes": { "bytes": 1_000_000_000 } }),
        json!({ "type": "packet_loss", "attributes": { "loss_rate": 1.0 } }),
        json!({ "type": "corrupt", "attributes": { "rate": 0.5 } }),
        json!({ "type": "stall", "attributes": { "loss_rate": 1.0, "pause": 60_000 } }),
        json!({ "type": "half_open" }),
        json!({ "type": "black_hole" }),
    ];
    for stream in ["upstream", "downstream"] {
        for toxic in &toxics {
            let name = format!("{}_{stream}", toxic["type"].as_str().unwrap());
            let listen = server.echo(&name);
            let mut busy = TcpStream::connect(&listen).unwrap();
            round_trip(&mut busy);
            let mut body = toxic.clone();
            body["stream"] = json!(stream);
            assert_eq!(
                server.json("POST", &format!("/proxies/{name}/toxics"), &body).0,
                200,
                "{body}"
            );
            busy.write_all(&[1; 30_000]).unwrap();
            let start = Instant::now();
            assert_eq!(
                server.ask("DELETE", &format!("/proxies/{name}/toxics/{name}"), "").0,
                204
            );
            let mut fresh = TcpStream::connect(&listen).unwrap();
            round_trip(&mut fresh);
            assert!(
                start.elapsed() < Duration::from_secs(2),
                "{name}: {:?}",
                start.elapsed()
            );
            assert_eq!(server.ask("DELETE", &format!("/proxies/{name}"), "").0, 204);
        }
    }
}

#[test]
fn a_latency_toxic_is_felt_by_its_direction_and_toxicity_by_its_share() {
    let server = Server::start(&["-seed", "7"]);
    let listen = server.echo("db");
    let mut stream = TcpStream::connect(&listen).unwrap();
    let toxic = json!({ "type": "latency", "attributes": { "latency": 80, "distribution": "pareto" } });
    server.json("POST", "/proxies/db/toxics", &toxic);
    let took = round_trip(&mut stream);
    assert!((80..800).contains(&took.as_millis()), "{took:?}");
    server.json(
        "POST",
        "/proxies/db/toxics/latency_downstream",
        &json!({ "toxicity": 0.0 }),
    );
    assert!(round_trip(&mut stream) < Duration::from_millis(60));
}

#[test]
fn browsers_are_kept_out_and_bad_flags_and_files_are_named() {
    let server = Server::start(&[]);
    let mut stream = TcpStream::connect(&server.addr).unwrap();
    write!(
        stream,
        "GET /proxies HTTP/1.1\r\nhost: x\r\nuser-agent: Mozilla/5.0\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut all = String::new();
    stream.read_to_string(&mut all).unwrap();
    assert!(all.starts_with("HTTP/1.1 403"), "{all}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("proxies.json");
    for (text, says) in [
        ("{", "is not JSON"),
        ("{}", "a list was expected"),
        ("[{}]", "missing required field: name"),
    ] {
        std::fs::write(&file, text).unwrap();
        let run = Command::new(env!("CARGO_BIN_EXE_squall"))
            .args(["proxy", "--port", "0", "-config"])
            .arg(&file)
            .output();
        let run = run.unwrap();
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        assert!(run.status.code() == Some(2) && said.contains(says), "{said}");
    }
}

#[test]
fn proxies_and_their_toxics_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("proxies.json");
    let toxics = json!([{ "type": "latency", "attributes": { "latency": 50 } }]);
    let list = json!([{ "name": "db", "listen": "127.0.0.1:0", "upstream": echo(), "toxics": toxics }]);
    std::fs::write(&file, list.to_string()).unwrap();
    let server = Server::start(&["-config", file.to_str().unwrap()]);
    let (_, shown) = server.json("GET", "/proxies/db", &Value::Null);
    let mut stream = TcpStream::connect(shown["listen"].as_str().unwrap()).unwrap();
    assert!(round_trip(&mut stream) >= Duration::from_millis(50));
}

#[test]
fn a_proxy_that_can_not_move_says_so_and_shows_that_it_is_off() {
    let server = Server::start(&[]);
    let old = server.echo("db");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let wanted = taken.local_addr().unwrap().to_string();
    for (path, body) in [
        ("/proxies/db", json!({ "listen": wanted })),
        ("/proxies/db", json!({ "enabled": true })),
        ("/reset", Value::Null),
    ] {
        let (status, said) = server.json("POST", path, &body);
        let error = said["error"].as_str().unwrap_or_default();
        assert!(
            status == 500 && error.contains(&wanted) && error.contains("in use"),
            "{path} {body}: {said}"
        );
        let (_, shown) = server.json("GET", "/proxies/db", &Value::Null);
        assert_eq!(
            (&shown["enabled"], &shown["listen"]),
            (&json!(false), &json!(wanted)),
            "{path} {body}"
        );
        TcpStream::connect(&old).unwrap_err();
    }
    drop(taken);
    let (status, shown) = server.json("POST", "/proxies/db", &json!({ "enabled": true }));
    assert_eq!(
        (status, &shown["enabled"], &shown["listen"]),
        (200, &json!(true), &json!(wanted))
    );
    round_trip(&mut TcpStream::connect(&wanted).unwrap());
}

/// Whether the client that needs this program is to be tried: always, but where `SQUALL_SKIP_CLIENTS` excuses it.
///
/// # Panics
/// When the program is missing and nobody has excused it: a test that looked at nothing has not passed.
fn tried(program: &str, args: &[&str]) -> bool {
    let excused = std::env::var("SQUALL_SKIP_CLIENTS").unwrap_or_default();
    if excused.split_whitespace().any(|word| word == program) {
        return false;
    }
    let found = Command::new(program).args(args).output();
    assert!(
        found.is_ok_and(|run| run.status.success()),
        "`{program} {}` does not run here, which a client of Toxiproxy needs: install it, or do without that client \
         (SQUALL_SKIP_CLIENTS={program})",
        args.join(" ")
    );
    true
}

fn must(command: &mut Command) {
    let run = command.output().unwrap();
    let said = [run.stdout, run.stderr].concat();
    assert!(run.status.success(), "{command:?}: {}", String::from_utf8_lossy(&said));
}

#[test]
fn the_python_client_works_unchanged() {
    if !tried("python3", &["-m", "pip", "--version"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("library");
    let mut install = Command::new("python3");
    install.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--target",
    ]);
    must(install.arg(&library).arg("toxiproxy-python==0.1.1"));
    let script = folder.path().join("client.py");
    std::fs::write(&script, PYTHON).unwrap();
    let server = Server::start(&[]);
    let (host, port) = server.addr.rsplit_once(':').unwrap();
    must(
        Command::new("python3")
            .env("PYTHONPATH", &library)
            .arg(&script)
            .args([host, port, &echo()]),
    );
}

#[test]
fn toxiproxys_own_client_in_go_works_unchanged() {
    if !tried("go", &["version"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("main.go"), GO).unwrap();
    let go = |args: &[&str]| {
        must(
            Command::new("go")
                .args(args)
                .current_dir(folder.path())
                .env("GOFLAGS", "-mod=mod"),
        )
    };
    go(&["mod", "init", "client"]);
    go(&["get", "github.com/Shopify/toxiproxy/v2/client@v2.12.0"]);
    let server = Server::start(&[]);
    go(&["run", ".", &server.addr, &echo()]);
}
