//! What is seen of a system from outside: in `/proc`, at its addresses and in its database. Squall is asked nothing.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use super::target::ECHO;

/// Who is asked on the same machine answers sooner, undisturbed; who does not is said to give no answer.
pub const SOON: Duration = Duration::from_millis(500);

/// Undisturbed, more bytes than these come at once.
const SMALL: usize = 100;

/// A process: number, command line, environment.
#[derive(Debug, Clone)]
pub struct Process {
    pub pid: u32,
    pub words: String,
    env: BTreeMap<String, String>,
}

impl Process {
    /// A variable of its environment, as it was started with it.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str)
    }

    /// What it is called: a copy's own name; else its program, without numbers.
    fn name(&self) -> String {
        match self.var("NAME") {
            Some(name) if self.words.contains("target::serve") => name.to_owned(),
            _ if self.words.contains("postgres -D") => "postmaster".to_owned(),
            _ => {
                let plain = |c: char| !c.is_ascii_digit();
                self.words.chars().filter(|c| plain(*c)).take(80).collect()
            }
        }
    }

    /// All that faults change of a process and healing must put back.
    fn state(&self) -> String {
        let text = |name: &str| fs::read_to_string(format!("/proc/{}/{name}", self.pid)).unwrap_or_default();
        let limits = text("limits");
        let soft = |label: &str| {
            let line = limits.lines().find_map(|line| line.strip_prefix(label));
            line.and_then(|line| line.split_whitespace().next()).unwrap_or("?")
        };
        let still = if stands_still(self.pid) { "stands still" } else { "goes" };
        format!(
            "{still}, on {}, may have {} files and {} bytes, has {} files, clocks untouched: {}",
            processors(self.pid).join(" and "),
            soft("Max open files"),
            soft("Max data size"),
            open_files(self.pid),
            untouched(self.pid) == Some(true),
        )
    }
}

/// The processes that carry a run's tag, and all that descends from `root`.
pub fn processes(run: &str, root: u32) -> Vec<Process> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let parents: BTreeMap<u32, u32> = pids.filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let descends = |mut pid: u32| {
        while let Some(parent) = parents.get(&pid) {
            if pid == root {
                return true;
            }
            pid = *parent;
        }
        false
    };
    let found = parents.keys().filter_map(|pid| {
        let pid = *pid;
        let text = |name: &str| fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let entries = text("environ");
        let entries = entries.split(|byte| *byte == 0).map(String::from_utf8_lossy);
        let env = entries.filter_map(|entry| entry.split_once('=').map(|(name, value)| (name.into(), value.into())));
        let words = String::from_utf8_lossy(&text("cmdline"))
            .replace('\0', " ")
            .trim()
            .to_owned();
        let process = Process {
            pid,
            words,
            env: env.collect(),
        };
        let ours = process.var("SQUALL_RUN") == Some(run) || descends(pid);
        // A zombie has no command line any more.
        (ours && !process.words.is_empty()).then_some(process)
    });
    found.collect()
}

fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(text.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

fn parent(pid: u32) -> Option<u32> {
    stat(pid)?.get(1)?.parse().ok()
}

/// Whether a process is stopped.
pub fn stands_still(pid: u32) -> bool {
    stat(pid).is_some_and(|fields| fields[0] == "T")
}

/// The processor time a process has used, in ticks.
pub fn ticks(pid: u32) -> u64 {
    let fields = stat(pid).unwrap_or_default();
    let used = fields.get(11..13).into_iter().flatten();
    used.filter_map(|field| field.parse::<u64>().ok()).sum()
}

/// Where the threads of a process may run: each list there is, once.
pub fn processors(pid: u32) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let mut lists: Vec<String> = tasks
        .filter_map(|task| {
            let status = fs::read_to_string(task.path().join("status")).ok()?;
            let list = status
                .lines()
                .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
            Some(list.trim().to_owned())
        })
        .collect();
    lists.sort();
    lists.dedup();
    lists
}

/// How many descriptors a process has open.
pub fn open_files(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().count()
}

/// How many connections somebody who listens has, those included that the other end has closed.
pub fn talks(addr: SocketAddr) -> usize {
    let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let port = format!(":{:04X}", addr.port());
    let open = |line: &&str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.len() > 3 && words[1].ends_with(&port) && ["01", "08"].contains(&words[3])
    };
    table.lines().filter(open).count()
}

/// A limit of a process, as the kernel shows it; `None` where it has none.
pub fn limit(pid: u32, label: &str) -> Option<u64> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix(label))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The processes of a run, by name, each with its state. A server's helpers come and go, and are not told.
pub fn people(run: &str, root: u32) -> BTreeMap<String, String> {
    let mut seen = BTreeMap::<String, String>::new();
    for process in processes(run, root) {
        if !process.words.starts_with("postgres:") {
            let state = process.state();
            let all = seen.entry(process.name()).or_default();
            all.push_str(if all.is_empty() { "" } else { "; " });
            all.push_str(&state);
        }
    }
    seen
}

/// The processes of a run whose clocks are not those the kernel gives to all, a server's helpers, too.
pub fn wrong_clocks(run: &str, root: u32) -> String {
    let all = processes(run, root).into_iter();
    let wrong = all.filter(|process| untouched(process.pid) == Some(false));
    let names: Vec<String> = wrong.map(|process| process.name()).collect();
    names.join(", ")
}

/// What comes of a request: its status, or why there is none.
pub fn answer(addr: SocketAddr, path: &str) -> String {
    let asked = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&addr, SOON)?;
        stream.set_read_timeout(Some(SOON))?;
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: here\r\n\r\n").as_bytes())?;
        let mut text = String::new();
        // Whoever answers may keep the connection.
        BufReader::new(stream).read_line(&mut text)?;
        Ok(text.split_whitespace().nth(1).unwrap_or("closed").to_owned())
    };
    asked().unwrap_or_else(|error| failed(&error))
}

/// By how many seconds the date of an answer is ahead of this clock.
pub fn date_ahead(addr: SocketAddr) -> Result<f64, String> {
    let asked = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&addr, SOON)?;
        stream.set_read_timeout(Some(SOON))?;
        stream.write_all(b"GET /up HTTP/1.1\r\nhost: here\r\n\r\n")?;
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        let date = lines
            .take_while(|line| !line.is_empty())
            .find_map(|line| Some(line.strip_prefix("date: ")?.to_owned()));
        date.ok_or_else(|| ErrorKind::NotFound.into())
    };
    let date = asked().map_err(|error| failed(&error))?;
    let date = jiff::fmt::rfc2822::parse(&date).map_err(|error| error.to_string())?;
    Ok(date.timestamp().duration_since(jiff::Timestamp::now()).as_secs_f64())
}

/// Whether the functions the kernel gave a process are as the kernel gives them to all; `None` of one that is gone.
fn untouched(pid: u32) -> Option<bool> {
    let functions = |pid: &str| {
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
        let (from, to) = maps
            .lines()
            .find(|line| line.ends_with("[vdso]"))?
            .split_whitespace()
            .next()?
            .split_once('-')?;
        let [from, to] = [from, to].map(|address| u64::from_str_radix(address, 16).unwrap());
        let mut bytes = vec![0; (to - from) as usize];
        let memory = fs::File::open(format!("/proc/{pid}/mem")).ok()?;
        std::os::unix::fs::FileExt::read_exact_at(&memory, &mut bytes, from).ok()?;
        Some(bytes)
    };
    Some(functions(&pid.to_string())? == functions("self")?)
}

fn failed(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => "no answer".to_owned(),
        kind => kind.to_string(),
    }
}

/// What comes of sending bytes on a link whose other end sends them back.
#[derive(Debug, Default)]
pub struct Echo {
    /// What went wrong; nothing when all came back and the end was seen.
    pub failed: Option<String>,
    /// How many came back, and how many of them are not as they were sent.
    pub back: usize,
    pub changed: usize,
    /// The most that came at once.
    pub most: usize,
    /// Until all were back, and from then until the other end had closed.
    pub took: Duration,
    pub closing: Duration,
}

impl Echo {
    /// Sends so many bytes, and then the end; waits so long for each read.
    pub fn of(addr: SocketAddr, bytes: usize, patience: Duration) -> Self {
        let mut echo = Self::default();
        if let Err(error) = echo.through(addr, bytes, patience) {
            echo.failed = Some(failed(&error));
        }
        echo
    }

    fn through(&mut self, addr: SocketAddr, bytes: usize, patience: Duration) -> std::io::Result<()> {
        let mut stream = TcpStream::connect_timeout(&addr, patience)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_nodelay(true)?;
        stream.write_all(ECHO.as_bytes())?;
        let sent: Vec<u8> = (0..bytes).map(|number| number as u8).collect();
        let began = Instant::now();
        let mut out = stream.try_clone()?;
        let mut block = [0; 4096];
        out.write_all(&sent)?;
        while self.back < bytes {
            let read = stream.read(&mut block)?;
            if read == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let as_sent = sent[self.back..].iter().zip(&block[..read]);
            self.changed += as_sent.filter(|(sent, back)| sent != back).count();
            self.back += read;
            self.most = self.most.max(read);
        }
        self.took = began.elapsed();
        out.shutdown(Shutdown::Write)?;
        let ended = Instant::now();
        if stream.read(&mut block)? > 0 {
            return Err(ErrorKind::InvalidData.into());
        }
        self.closing = ended.elapsed();
        Ok(())
    }

    /// In words that are the same whenever nothing is in the way.
    pub fn told(&self) -> String {
        let Self { back, changed, .. } = self;
        let pieces = if self.most > SMALL { "large" } else { "small" };
        match &self.failed {
            Some(why) => format!("{back} back, then: {why}"),
            None if self.took > SOON || self.closing > SOON => format!("slow: {self:?}"),
            None => format!("{back} back, {changed} changed, in {pieces} pieces"),
        }
    }
}

/// Room on the filesystem a process sees at a folder, in bytes.
pub fn room(pid: u32, folder: &Path) -> Option<u64> {
    let below = folder.strip_prefix("/").ok()?;
    let seen = nix::sys::statvfs::statvfs(&Path::new(&format!("/proc/{pid}/root")).join(below)).ok()?;
    Some(seen.blocks_available() * seen.fragment_size())
}
