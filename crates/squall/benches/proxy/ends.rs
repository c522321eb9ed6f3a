//! The two ends of a link: servers that answer, swallow or pour, and clients that look at the clock.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// What a message of a small exchange carries.
const MESSAGE: usize = 64;

/// A server that sends everything back.
pub fn echo() -> io::Result<String> {
    serve(|mut stream| {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            if stream.write_all(&buffer[..count]).is_err() {
                return;
            }
        }
    })
}

/// A server that reads what comes and sends one byte when it has read so many.
pub fn sink(bytes: u64) -> io::Result<String> {
    serve(move |mut stream| {
        let (mut left, mut buffer) = (bytes, vec![0; 1 << 20]);
        while left > 0 {
            match stream.read(&mut buffer) {
                Ok(count @ 1..) => left = left.saturating_sub(count as u64),
                _ => return,
            }
        }
        _ = stream.write_all(&[1]);
    })
}

/// A server that sends without end.
pub fn spring() -> io::Result<String> {
    serve(|mut stream| while stream.write_all(&[0; 1 << 16]).is_ok() {})
}

fn serve(each: impl Fn(TcpStream) + Clone + Send + 'static) -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let addr = listener.local_addr()?.to_string();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let each = each.clone();
            _ = stream.set_nodelay(true);
            thread::spawn(move || each(stream));
        }
    });
    Ok(addr)
}

/// What round trips took.
#[derive(Clone, Copy)]
pub struct Took {
    /// The one that is looked at: the median, or the 90th percentile.
    pub typical: Duration,
    /// The shortest.
    pub least: Duration,
}

impl Took {
    fn of(mut all: Vec<Duration>, tenths: usize) -> Self {
        all.sort();
        let (typical, least) = (all[all.len() * tenths / 10], all[0]);
        Self { typical, least }
    }
}

/// A message that no other is like.
fn numbered(number: u32) -> [u8; MESSAGE] {
    let mut message = [7; MESSAGE];
    message[..4].copy_from_slice(&number.to_be_bytes());
    message
}

/// Says so when another message came than the one whose turn it was.
fn in_turn(came: [u8; MESSAGE], number: u32) -> io::Result<()> {
    match came == numbered(number) {
        true => Ok(()),
        false => Err(io::Error::other(format!(
            "when it was message {number}'s turn this came: {came:?}"
        ))),
    }
}

/// The median round trip of small messages, one at a time.
pub fn ping(addr: &str, count: u32) -> io::Result<Took> {
    let mut stream = TcpStream::connect(addr)?;
    stream.set_nodelay(true)?;
    let mut took = Vec::with_capacity(count as usize);
    for number in 0..count {
        let (message, mut back) = (numbered(number), [0; MESSAGE]);
        let start = Instant::now();
        stream.write_all(&message)?;
        stream.read_exact(&mut back)?;
        took.push(start.elapsed());
        in_turn(back, number)?;
    }
    Ok(Took::of(took, 5))
}

/// The 90th percentile of round trips of messages that are sent every millisecond, whatever has come back.
pub fn pipelined(addr: &str, count: u32) -> io::Result<Took> {
    let mut stream = TcpStream::connect(addr)?;
    stream.set_nodelay(true)?;
    let mut sending = stream.try_clone()?;
    let begin = Instant::now() + Duration::from_millis(5);
    let sender = thread::spawn(move || {
        _ = nix::sys::prctl::set_timerslack(1);
        (0..count)
            .map(|number| {
                let due = begin + Duration::from_millis(number.into());
                thread::sleep(due.saturating_duration_since(Instant::now()));
                let sent = Instant::now();
                sending.write_all(&numbered(number)).map(|()| sent)
            })
            .collect::<io::Result<Vec<_>>>()
    });
    let mut back = Vec::new();
    for number in 0..count {
        let mut came = [0; MESSAGE];
        stream.read_exact(&mut came)?;
        back.push(Instant::now());
        in_turn(came, number)?;
    }
    let sent = sender.join().map_err(|_| io::Error::other("the sender failed"))??;
    let took = sent.iter().zip(&back).map(|(sent, back)| *back - *sent).collect();
    Ok(Took::of(took, 9))
}

/// How long it takes until so many bytes have arrived at a sink.
pub fn pour(addr: &str, bytes: u64) -> io::Result<Duration> {
    let mut stream = TcpStream::connect(addr)?;
    let (piece, start) = (vec![0; 1 << 18], Instant::now());
    let mut left = bytes;
    while left > 0 {
        let count = left.min(piece.len() as u64);
        stream.write_all(&piece[..count as usize])?;
        left -= count;
    }
    stream.read_exact(&mut [0])?;
    Ok(start.elapsed())
}

/// Bytes a second that arrive from a spring, once `settling` has passed.
pub fn draw(addr: &str, settling: Duration, time: Duration) -> io::Result<f64> {
    let mut stream = TcpStream::connect(addr)?;
    let (mut buffer, begin) = (vec![0; 1 << 18], Instant::now());
    while begin.elapsed() < settling {
        _ = stream.read(&mut buffer)?;
    }
    let (start, mut bytes) = (Instant::now(), 0);
    while start.elapsed() < time {
        bytes += stream.read(&mut buffer)?;
    }
    Ok(bytes as f64 / start.elapsed().as_secs_f64())
}

/// Connections a second, each with one exchange, by sixteen clients at once.
pub fn connections(addr: &str, each: u32) -> io::Result<f64> {
    let start = Instant::now();
    let clients = (0..16).map(|_| {
        let addr = addr.to_owned();
        thread::spawn(move || -> io::Result<()> {
            for _ in 0..each {
                let mut stream = TcpStream::connect(&addr)?;
                stream.write_all(&[0; MESSAGE])?;
                stream.read_exact(&mut [0; MESSAGE])?;
            }
            Ok(())
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.join().map_err(|_| io::Error::other("a client failed"))??;
    }
    Ok(f64::from(16 * each) / start.elapsed().as_secs_f64())
}
