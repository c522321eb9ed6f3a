//! Many at once: connections that say nothing, and a thousand newcomers a second beside them.

use std::error::Error;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::peers::Peer;
use crate::table::{Row, quantile, sorted};

/// Has this program serve an echo that many can use at once.
pub const ECHO: &str = "echo-for-many";

/// Connections that stay and say nothing. Each takes the proxy two descriptors.
const IDLE: usize = 9_000;
/// So many come and go each second.
const NEWCOMERS: usize = 1_000;
/// By so many threads.
const THREADS: usize = 16;
/// A process needs some descriptors besides.
const BESIDES: u64 = 200;
/// So much later nothing may be left of what has ended.
const SETTLING: Duration = Duration::from_secs(5);

/// Lets this process have as many descriptors as it may. Returns how many that is.
fn raise_limit() -> io::Result<u64> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(hard)
}

/// Serves an echo until the input ends.
pub fn serve() -> Result<(), Box<dyn Error>> {
    raise_limit()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpSocket::new_v4()?;
        listener.bind(([127, 0, 0, 1], 0).into())?;
        let listener = listener.listen(4096)?;
        println!("{}", listener.local_addr()?);
        let (over, mut is_over) = tokio::sync::oneshot::channel();
        thread::spawn(move || over.send(io::stdin().read_to_end(&mut Vec::new())));
        loop {
            tokio::select! {
                _ = &mut is_over => return Ok(()),
                Ok((mut stream, _)) = listener.accept() => drop(tokio::spawn(async move {
                    let mut buffer = [0; 64];
                    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                        if stream.write_all(&buffer[..count]).await.is_err() {
                            return;
                        }
                    }
                })),
            }
        }
    })
}

fn exchange(stream: &mut TcpStream) -> io::Result<()> {
    let (sent, mut back) = ([7; 64], [0; 64]);
    stream.write_all(&sent)?;
    stream.read_exact(&mut back)?;
    match back == sent {
        true => Ok(()),
        false => Err(io::Error::other("other bytes came back than were sent")),
    }
}

fn connect(addr: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(addr)?;
    stream.set_nodelay(true)?;
    // Far more than it takes: what hangs is a failure.
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    Ok(stream)
}

/// Newcomers at their due moments, one after the other: how long each took from then, in ms, and when the last was done.
fn newcomers(addr: &str, begin: Instant, number: usize, total: usize) -> io::Result<(Vec<f64>, Instant)> {
    let mut took = Vec::with_capacity(total / THREADS + 1);
    for each in (number..total).step_by(THREADS) {
        let due = begin + Duration::from_secs(1) * each as u32 / NEWCOMERS as u32;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let mut stream = connect(addr)?;
        exchange(&mut stream)?;
        took.push(due.elapsed().as_secs_f64() * 1e3);
        // One in ten leaves in good order. If all did, the ports they used would run out within a minute.
        if !each.is_multiple_of(10) {
            SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
        }
    }
    Ok((took, Instant::now()))
}

/// Megabytes in memory, and descriptors.
fn size(peer: &Peer) -> Result<(f64, usize), Box<dyn Error>> {
    let folder = Path::new("/proc").join(peer.id().to_string());
    let status = std::fs::read_to_string(folder.join("status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes: f64 = line.ok_or("no VmRSS")?.trim().trim_end_matches(" kB").parse()?;
    Ok((kilobytes / 1024.0, std::fs::read_dir(folder.join("fd"))?.count()))
}

/// Measures for so many minutes.
pub fn measure(squall: &Path, minutes: f64) -> Result<Vec<Row>, Box<dyn Error>> {
    let may = raise_limit()?;
    let idle = IDLE.min((may.saturating_sub(BESIDES) / 2) as usize);
    if idle < IDLE {
        eprintln!(
            "the hard limit of {may} descriptors allows {idle} of {IDLE} idle connections, so nothing counts as met: ulimit -Hn"
        );
    }
    let mut server = Server::start()?;
    let mut peer = Peer::start("squall", squall, &["proxy"], None)?;
    let (listen, _) = peer.proxy(&server.addr()?)?;
    let empty = size(&peer)?;
    let mut all = Vec::with_capacity(idle);
    for number in 0..idle {
        let mut stream = connect(&listen)?;
        exchange(&mut stream).map_err(|error| format!("connection {number}: {error}"))?;
        all.push(stream);
    }
    let (full, used) = (size(&peer)?, peer.cpu()?);

    let total = (minutes * 60.0 * NEWCOMERS as f64) as usize;
    let Gone { took, lasted, most } = come_and_go(&listen, &peer, total)?;
    let used = peer.cpu()? - used;
    for (number, stream) in all.iter_mut().enumerate() {
        exchange(stream).map_err(|error| format!("idle connection {number}, afterwards: {error}"))?;
    }
    drop(all);
    let left = settled(&peer, empty.1)?;
    let rate = took.len() as f64 / lasted;
    let row = |what: String, goal: &str, measured: String, met: bool| Row {
        target: "crowd",
        what,
        goal: goal.to_owned(),
        measured,
        met: Some(met && idle == IDLE),
    };
    Ok(vec![
        row(
            format!("{idle} of {IDLE} idle connections"),
            "≤ 2 descriptors and 4 kB each; all answer afterwards",
            format!(
                "{} descriptors, {:.1} MB (without any {}, {:.1} MB)",
                full.1, full.0, empty.1, empty.0
            ),
            full.1 - empty.1 <= 2 * idle && full.0 - empty.0 <= idle as f64 / 256.0,
        ),
        row(
            format!("{NEWCOMERS} connects/s besides, {minutes} min"),
            "≥ 99 % of the rate, none failed",
            format!(
                "{rate:.0}/s, from due to answer p50 {:.2} ms, p99 {:.2} ms; {:.0} us of processor each",
                quantile(&took, 0.5),
                quantile(&took, 0.99),
                used * 1e6 / took.len() as f64
            ),
            rate >= 0.99 * NEWCOMERS as f64,
        ),
        row(
            "at most meanwhile, and left at the end".to_owned(),
            "+ ≤ 4 MB, + ≤ 500 descriptors; no descriptor left",
            format!("{} descriptors, {:.1} MB; {left} descriptors", most.1, most.0),
            most.0 - full.0 <= 4.0 && most.1 - full.1 <= 500 && left <= empty.1,
        ),
    ])
}

/// What became of the newcomers.
struct Gone {
    /// How long each took, in ms, sorted.
    took: Vec<f64>,
    /// The seconds all of them took.
    lasted: f64,
    /// The proxy's size at most.
    most: (f64, usize),
}

/// Newcomers from many threads.
fn come_and_go(listen: &str, peer: &Peer, total: usize) -> Result<Gone, Box<dyn Error>> {
    let begin = Instant::now();
    let start = |number| {
        let listen = listen.to_owned();
        thread::spawn(move || newcomers(&listen, begin, number, total))
    };
    let threads: Vec<_> = (0..THREADS).map(start).collect();
    let mut most = size(peer)?;
    while !threads.iter().all(thread::JoinHandle::is_finished) {
        thread::sleep(Duration::from_millis(200));
        let now = size(peer)?;
        most = (most.0.max(now.0), most.1.max(now.1));
    }
    let (mut took, mut end) = (Vec::new(), begin);
    for thread in threads {
        let (its, done) = thread.join().map_err(|_| "a thread of newcomers failed")??;
        took.extend(its);
        end = end.max(done);
    }
    let lasted = (end - begin).as_secs_f64();
    let took = sorted(took);
    Ok(Gone { took, lasted, most })
}

/// How many descriptors are left when there are as few as there were, or it has had its time.
fn settled(peer: &Peer, before: usize) -> Result<usize, Box<dyn Error>> {
    let begin = Instant::now();
    loop {
        let now = size(peer)?.1;
        if now <= before || begin.elapsed() > SETTLING {
            return Ok(now);
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// The upstream, in a process of its own: this one has descriptors enough for the clients only.
struct Server(Child);

impl Server {
    fn start() -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(ECHO).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.spawn().map(Self)
    }

    fn addr(&mut self) -> Result<String, Box<dyn Error>> {
        let mut line = String::new();
        BufReader::new(self.0.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}
