//! Runs on a system that runs already, known by its address alone.
//!
//! They need taskhub (`cargo build --release -p taskhub`) and PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking, too")]

#[path = "rig/place.rs"]
mod place;

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, ToSocketAddrs, UdpSocket};
use std::process::Output;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use place::Place;
use serde_json::Value;
use socket2::{Domain, Socket, Type};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// What was built is there already.
const BUILD: &str = "sh -c true";

/// One system at a time: two on a small machine would disturb each other, and be found to.
static ALONE: Mutex<()> = Mutex::new(());

/// A taskhub that is up, ten times as fast.
struct Up {
    place: Place,
    port: u16,
    _alone: MutexGuard<'static, ()>,
}

impl Up {
    /// Starts one, with more in its environment.
    fn start(env: &[(&str, &str)]) -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let place = Place::with_taskhub(BUILD);
        let mut command = place.squall(&["up", "--detach", "--pace", "10"]);
        let output = command.envs(env.iter().copied()).output().unwrap();
        said(&output, 0, &["taskhub is up"]);
        let mut up = Self {
            place,
            port: 0,
            _alone: alone,
        };
        let status = up.status();
        let url = status["url"].as_str().unwrap();
        up.port = url.rsplit(':').next().unwrap().parse().unwrap();
        up
    }

    /// `squall status --json` of it.
    fn status(&self) -> Value {
        let output = self.place.output(&["status", "--json"]);
        let all: Value = serde_json::from_slice(&output.stdout).unwrap();
        all[0].clone()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        self.place.output(&["down"]);
    }
}

/// Asserts an exit code, and that each part was said on either stream.
fn said(output: &Output, code: i32, parts: &[&str]) {
    let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let text = text.concat();
    assert_eq!(output.status.code(), Some(code), "{text}");
    for part in parts {
        assert!(text.contains(part), "nothing of `{part}` in\n{text}");
    }
}

/// How a system that is up is told which bug to have.
const BUG: &str = "TASKHUB_BUG";

/// A run on the system that is up, started in a place of its own that knows its contract only.
fn attached(up: &Up, place: &Place, args: &[&str]) -> Output {
    let base = format!("http://localhost:{}", up.port);
    let words = [&["run", "--pace", "10", "--seed", "5"], args].concat();
    let mut command = place.squall(&words);
    // Plain HTTP needs no certificates.
    command
        .env("SSL_CERT_FILE", "/dev/null")
        .env("SSL_CERT_DIR", "/dev/null");
    command.env("BASE_URL", base).output().unwrap()
}

fn report(place: &Place) -> Value {
    let text = std::fs::read_to_string(place.path().join("tmp/latest/report.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Each failing check of the only scenario, with its class.
fn findings(report: &Value) -> Vec<String> {
    let verdicts = report["scenarios"][0]["verdicts"].as_array().unwrap().iter();
    let failed = verdicts.filter(|verdict| verdict["outcome"] == "fail");
    let words = |verdict: &Value| [&verdict["check"], &verdict["class"]].map(|word| word.as_str().unwrap().to_owned());
    failed.map(|verdict| words(verdict).join(": ")).collect()
}

/// An address of this machine that is not on loopback. Nothing is sent to find it.
fn outer() -> IpAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let found = socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr());
    // A machine without any network has none: this one leads to it, too, and is not plainly its own.
    found.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip())
}

#[test]
fn a_sound_system_passes_is_left_as_it_was_and_only_its_answers_are_judged() {
    let up = Up::start(&[]);
    let before = up.status()["services"].clone();
    assert_eq!(before.as_array().unwrap().len(), 5);
    let place = Place::with_taskhub("sh -c false");
    // What it would start with can't be started, and need not be.
    let text = std::fs::read_to_string(place.path().join("system.yaml")).unwrap();
    place.write("system.yaml", text.replace("taskhub worker", "no-such-program"));

    let named = attached(&up, &place, &["-s", "baseline,worker-restart"]);
    said(
        &named,
        2,
        &[
            "worker-restart can't be run",
            "no handle on worker",
            "without --base-url",
        ],
    );
    assert!(!place.path().join("tmp").exists(), "nothing was touched");

    let output = attached(&up, &place, &["-s", "all"]);
    said(
        &output,
        0,
        &[
            "Total scenarios: 1\nPassed: 1\nFailed: 0\nSuccess rate: 100%",
            "✅ baseline: PASS (100.0%, 4 checks not judged)",
            "⏭ worker-restart: not run: no handle on worker",
            "⏭ network: not run: no handle on server->db, worker->db, worker->partner",
            "⏭ baseline: retried not judged: no worker reports its attempts",
        ],
    );
    let all = report(&place);
    assert_eq!(all["left_out"].as_array().unwrap().len(), 13);
    let repeat = all["scenarios"][0]["run"]["repeat"].as_str().unwrap();
    assert!(
        repeat.ends_with(&format!("--base-url http://localhost:{}", up.port)),
        "{repeat}"
    );
    let latest = place.path().join("tmp/latest");
    for file in ["report.md", "report.html", "junit.xml"] {
        let text = std::fs::read_to_string(latest.join(file)).unwrap();
        assert!(text.contains("not run: no handle on partner"), "{file}: {text}");
    }
    // Work that calls was witnessed, and judging again says the same.
    let says = all["scenarios"][0]["verdicts"][1]["says"].as_str().unwrap();
    assert!(
        says.contains("of the 2 that call the witness the done ones had their effect"),
        "{says}"
    );
    let again = place.output(&["judge", "--json"]);
    assert_eq!(
        serde_json::from_slice::<Value>(&again.stdout).unwrap(),
        all,
        "{}",
        String::from_utf8_lossy(&again.stderr)
    );
    assert!(
        std::fs::read_dir(place.path().join("scratch"))
            .unwrap()
            .next()
            .is_none()
    );

    // The same processes are there, as healthy as before.
    assert_eq!(before, up.status()["services"]);
}

#[test]
fn a_system_that_loses_what_it_acknowledged_is_found_by_its_address_alone() {
    let up = Up::start(&[(BUG, "lost-enqueue")]);
    let place = Place::with_taskhub(BUILD);
    said(&attached(&up, &place, &["-s", "baseline"]), 1, &["baseline: FAIL"]);
    let found = findings(&report(&place));
    assert!(found.contains(&"no_task_lost: lost-task".to_owned()), "{found:?}");
}

#[test]
fn a_system_that_says_done_before_the_work_is_found_by_the_works_own_call() {
    let up = Up::start(&[(BUG, "done-before-work")]);
    let place = Place::with_taskhub(BUILD);
    said(
        &attached(&up, &place, &["-s", "baseline"]),
        1,
        &["no_task_lost [phantom-done]", "done before their work had any effect"],
    );
    // Without work that calls nobody could tell: it is the call that shows it.
    let text = std::fs::read_to_string(place.path().join("system.yaml")).unwrap();
    let calls = text.lines().filter(|line| !line.trim_start().starts_with("call:"));
    place.write("system.yaml", calls.collect::<Vec<_>>().join("\n"));
    attached(&up, &place, &["-s", "baseline"]);
    let found = findings(&report(&place));
    assert!(
        !found.iter().any(|finding| finding.starts_with("no_task_lost")),
        "{found:?}"
    );
}

#[test]
fn a_run_on_a_machine_nobody_named_sends_nothing() {
    let place = Place::with_taskhub(BUILD);
    let host = outer();
    assert!(!host.is_loopback());
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut hosts = vec![host.to_string()];
    // By the machine's own name, too, where that does not lead to loopback.
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .unwrap()
        .trim()
        .to_lowercase();
    let leads = (name.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
    hosts.extend(
        leads
            .is_ok_and(|found| found.iter().any(|to| !to.ip().is_loopback()))
            .then_some(name),
    );
    for host in &hosts {
        let base = format!("http://{host}:{port}");
        for scenario in ["baseline", "all"] {
            let output = place.output(&["run", "-s", scenario, "--base-url", &base]);
            said(&output, 2, &["is not this machine", &format!("--allow-host {host}")]);
            let other = [
                "run",
                "-s",
                scenario,
                "--base-url",
                &base,
                "--allow-host",
                "example.test",
            ];
            said(&place.output(&other), 2, &["is not this machine"]);
        }
        let repeated = place.output(&["run", "-s", "baseline", "--repeat", "2", "--base-url", &base]);
        said(&repeated, 2, &["is not this machine"]);
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "{host}");
    }
    assert!(!place.path().join("tmp").exists(), "nothing was touched");

    // Once named it is spoken to: the listener would have heard it.
    listener.set_nonblocking(false).unwrap();
    let heard = std::thread::spawn(move || drop(listener.accept().unwrap()));
    let base = format!("http://{host}:{port}");
    let host = host.to_string();
    let output = place.output(&["run", "-s", "baseline", "--base-url", &base, "--allow-host", &host]);
    said(&output, 3, &["opening a session"]);
    heard.join().unwrap();
}

#[test]
fn nobody_there_is_an_environment_that_failed_and_says_so() {
    let place = Place::with_taskhub(BUILD);
    // Bound and not listened on: the port is nobody's, and can't become anybody's.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let base = format!("http://{}", socket.local_addr().unwrap().as_socket().unwrap());
    let output = place.output(&["run", "-s", "baseline", "--base-url", &base]);
    said(&output, 3, &[&format!("nothing answers at {base}"), "is it up?"]);
}

/// Speaks TLS on a port of its own, and passes what it hears on to `port`. Answers its port, and its certificate in PEM.
fn tls_before(port: u16) -> (u16, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let pem = made.cert.pem();
    let key = made.signing_key.serialize_der().try_into().unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.into()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let own = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut from = acceptor.accept(stream).await.ok()?;
                    let mut to = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()?;
                    tokio::io::copy_bidirectional(&mut from, &mut to).await.ok()
                });
            }
        });
    });
    (own, pem)
}

#[test]
fn https_is_spoken_to_whom_this_machine_trusts_and_to_nobody_else() {
    let up = Up::start(&[]);
    let place = Place::with_taskhub(BUILD);
    let (port, pem) = tls_before(up.port);
    place.write("trusted.pem", pem);
    let base = format!("https://localhost:{port}");
    let run = ["run", "-s", "baseline", "--pace", "10", "--base-url", &base];
    let trusted = place
        .squall(&run)
        .env("SSL_CERT_FILE", place.path().join("trusted.pem"))
        .output();
    said(&trusted.unwrap(), 0, &["baseline: PASS"]);
    let strange = place.output(&run);
    said(&strange, 3, &["opening a session", "no TLS connection"]);
    // Its load generator speaks no TLS.
    let flood = "scenario: flooded\nhypothesis: It keeps up.\nworkload: { flood: { kind: work, takes: 1ms, rate: 1/s, for: 11s } }\nchecks: [no_task_lost]\n";
    place.write("flooded.yaml", flood);
    let flood = place.output(&["run", "-s", "flooded.yaml", "--base-url", &base]);
    said(&flood, 2, &["flooded.yaml can't be run", "are sent by http:// only"]);
}
