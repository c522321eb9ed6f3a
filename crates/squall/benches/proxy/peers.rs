//! The proxies: two that are ordered about through the same API, Toxiproxy's, and nginx, which only passes on.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// The peer's version, what it says of itself, and where Go finds it.
const VERSION: &str = "toxiproxy-server version 2.12.0";
const TOXIPROXY: &str = "github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0";
/// How long a proxy may take to answer.
const STARTING: Duration = Duration::from_secs(10);

/// A proxy at work.
pub struct Peer {
    pub name: &'static str,
    child: Child,
    api: String,
    proxies: usize,
}

/// Finds Toxiproxy's server, and says which it is: the one `TOXIPROXY` names, whatever its version; else one of the
/// right version in the `PATH`; else it is built with Go into `folder`.
pub fn toxiproxy(folder: &Path) -> Option<(PathBuf, String)> {
    if let Some(file) = std::env::var_os("TOXIPROXY").map(PathBuf::from) {
        let version = said(&file, "-version")?;
        return Some((file, version));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&path).map(|dir| dir.join("toxiproxy-server"));
    if let Some(file) = found.find(|file| said(file, "-version").is_some_and(|version| version == VERSION)) {
        return Some((file, VERSION.to_owned()));
    }
    let built = Command::new("go")
        .args(["install", TOXIPROXY])
        .env("GOBIN", folder)
        .status();
    let file = folder.join("server");
    // Built so it does not know its version itself.
    (built.is_ok_and(|status| status.success()) && file.is_file()).then(|| (file, TOXIPROXY.to_owned()))
}

/// Which nginx it is.
pub fn nginx() -> String {
    said(Path::new("nginx"), "-v").unwrap_or_else(|| "no nginx".to_owned())
}

/// What a program says when it is asked for its version.
fn said(program: &Path, flag: &str) -> Option<String> {
    let run = Command::new(program).arg(flag).output().ok()?;
    let said = String::from_utf8([run.stdout, run.stderr].concat()).ok()?;
    run.status.success().then(|| said.trim().to_owned())
}

impl Peer {
    /// Starts it; on one core, where that is given.
    pub fn start(
        name: &'static str,
        program: &Path,
        verb: &[&str],
        core: Option<&str>,
    ) -> Result<Self, Box<dyn Error>> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
        let mut command = Command::new(core.map_or(program.as_os_str(), |_| "taskset".as_ref()));
        if let Some(core) = core {
            command.args(["-c", core]).arg(program);
        }
        command
            .args(verb)
            .args(["-host", "127.0.0.1", "-port", &port])
            .env("LOG_LEVEL", "error");
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let api = format!("127.0.0.1:{port}");
        let (peer, begin) = (
            Self {
                name,
                child,
                api,
                proxies: 0,
            },
            Instant::now(),
        );
        while TcpStream::connect(&peer.api).is_err() {
            if begin.elapsed() > STARTING {
                return Err(format!("{name} did not answer within {STARTING:?}").into());
            }
            std::thread::yield_now();
        }
        Ok(peer)
    }

    /// A proxy in front of `upstream`: where it listens, and what it is called.
    pub fn proxy(&mut self, upstream: &str) -> Result<(String, String), Box<dyn Error>> {
        self.proxies += 1;
        let name = format!("p{}", self.proxies);
        let body = json!({ "name": name, "listen": "127.0.0.1:0", "upstream": upstream });
        let made = self.ask("POST", "/proxies", &body)?;
        Ok((made["listen"].as_str().ok_or("no listener")?.to_owned(), name))
    }

    /// Puts a downstream toxic on a proxy. Says how long that took.
    pub fn toxic(&self, proxy: &str, kind: &str, attributes: Value) -> Result<Duration, Box<dyn Error>> {
        self.toxic_on(proxy, "downstream", (kind, attributes))
    }

    /// The same in a direction.
    pub fn toxic_on(
        &self,
        proxy: &str,
        stream: &str,
        (kind, attributes): (&str, Value),
    ) -> Result<Duration, Box<dyn Error>> {
        let start = Instant::now();
        let body = json!({ "name": "t", "type": kind, "stream": stream, "attributes": attributes });
        self.ask("POST", &format!("/proxies/{proxy}/toxics"), &body)?;
        Ok(start.elapsed())
    }

    pub fn heal(&self, proxy: &str) -> Result<(), Box<dyn Error>> {
        self.ask("DELETE", &format!("/proxies/{proxy}/toxics/t"), &Value::Null)?;
        Ok(())
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Seconds of processor time it has used.
    pub fn cpu(&self) -> Result<f64, Box<dyn Error>> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let rest = stat.rsplit_once(") ").ok_or("no stat")?.1;
        let ticks = |at: usize| rest.split(' ').nth(at).and_then(|text| text.parse::<f64>().ok());
        // In hundredths, everywhere Linux runs.
        Ok((ticks(11).ok_or("no utime")? + ticks(12).ok_or("no stime")?) / 100.0)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, Box<dyn Error>> {
        let mut stream = TcpStream::connect(&self.api)?;
        stream.set_nodelay(true)?;
        let body = body.to_string();
        let length = body.len();
        let head =
            format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all((head + &body).as_bytes())?;
        let mut all = String::new();
        stream.read_to_string(&mut all)?;
        let (head, body) = all.split_once("\r\n\r\n").ok_or("no answer")?;
        match head.split(' ').nth(1) {
            Some(status) if status.starts_with('2') => Ok(serde_json::from_str(body).unwrap_or(Value::Null)),
            _ => Err(format!("{}: {method} {path}: {all}", self.name).into()),
        }
    }
}

/// Where Debian's nginx has what passes streams on.
const STREAMS: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

/// An nginx that passes on what comes.
pub struct Nginx {
    child: Child,
    pub listen: String,
    _folder: TempDir,
}

impl Nginx {
    /// Starts it on one core; `None` where there is none.
    pub fn start(upstream: &str, core: &str) -> Result<Option<Self>, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let listen = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let module = match Path::new(STREAMS).is_file() {
            true => format!("load_module {STREAMS};"),
            // Where it is not a module of its own it may be built in.
            false => String::new(),
        };
        let settings = format!(
            "{module} daemon off; master_process off; pid pid; events {{ }}
             stream {{ server {{ listen {listen}; proxy_pass {upstream}; tcp_nodelay on; }} }}"
        );
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, settings)?;
        let mut command = Command::new("taskset");
        command.args(["-c", core, "nginx", "-e", "stderr", "-c"]).arg(&file);
        command
            .arg("-p")
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let (child, begin) = (command.spawn()?, Instant::now());
        let mut nginx = Self {
            child,
            listen,
            _folder: folder,
        };
        while TcpStream::connect(&nginx.listen).is_err() {
            if nginx.child.try_wait()?.is_some() {
                return Ok(None);
            }
            if begin.elapsed() > STARTING {
                return Err(format!("nginx did not answer within {STARTING:?}").into());
            }
            std::thread::yield_now();
        }
        Ok(Some(nginx))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
