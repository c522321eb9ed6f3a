//! How the engine is spoken to, and its thread.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::Instant;

use squall_core::time::nanos;

use super::{Command, Engine, RETRY};
use crate::poll::{BELL, Bell, Poll, Sockets};
use crate::proxy::buffers::BUDGET;

/// How the engine is spoken to.
#[derive(Clone)]
pub(in crate::proxy) struct Handle(Arc<Shared>);

struct Shared {
    engine: Mutex<Engine>,
    /// What came while the thread was at work; nothing, once that has ended.
    commands: Mutex<Option<Vec<Command>>>,
    bell: Bell,
}

impl Handle {
    /// The one engine of this process; the first call starts its thread.
    pub(in crate::proxy) fn shared() -> io::Result<Self> {
        static ENGINE: Mutex<Option<Handle>> = Mutex::new(None);
        let mut slot = held(&ENGINE);
        if let Some(engine) = &*slot {
            return Ok(engine.clone());
        }
        Ok(slot.insert(Self::start(BUDGET)?).clone())
    }

    /// One with a thread of its own, whose lines together hold so much.
    fn start(budget: usize) -> io::Result<Self> {
        let bell = Bell::new()?;
        let sockets = Sockets::new(&bell)?;
        let shared = Arc::new(Shared {
            engine: Mutex::new(Engine::new(sockets.clone(), budget)),
            commands: Mutex::new(Some(Vec::new())),
            bell,
        });
        let own = Arc::clone(&shared);
        thread::Builder::new()
            .name("squall-proxy".to_owned())
            .spawn(move || own.run(Poll::on(sockets)))?;
        Ok(Self(shared))
    }

    /// Tells the engine something. Done here and now while its thread sleeps, which spares two changes of threads, the
    /// most of what an order takes. Else the thread does it at once: one that has much to do might not let go of the
    /// engine for long enough to be overtaken.
    ///
    /// When the thread has ended the command is dropped, and with it whom it would have answered.
    pub(in crate::proxy) fn tell(&self, command: Command) {
        let shared = &*self.0;
        match shared.engine.try_lock() {
            Ok(mut engine) => {
                // What others were told to wait for comes first.
                if !shared.catch_up(&mut engine) {
                    return;
                }
                engine.follow(command);
                let due = engine.due();
                let late = due.is_some_and(|due| engine.wakes.is_none_or(|wakes| due < wakes));
                if !late {
                    return;
                }
            }
            Err(TryLockError::WouldBlock | TryLockError::Poisoned(_)) => match &mut *held(&shared.commands) {
                Some(commands) => commands.push(command),
                None => return,
            },
        }
        shared.bell.ring();
    }
}

impl Shared {
    fn run(&self, mut poll: Poll) {
        // Without it alarms are up to 50 µs later, which is no reason not to run.
        _ = nix::sys::prctl::set_timerslack(1);
        let _last = Last(self);
        let mut patience = None;
        loop {
            if poll.wait(patience).is_err() {
                // There is nothing it could fail for but memory, which may come back.
                thread::sleep(RETRY);
                continue;
            }
            let mut engine = held(&self.engine);
            for number in 0..poll.len() {
                match poll.event(number) {
                    (BELL, _) => {
                        self.bell.clear();
                        _ = self.catch_up(&mut engine);
                    }
                    (key, flags) => engine.heed(key, flags),
                }
            }
            engine.go_on();
            engine.wakes = engine.due();
            patience = engine
                .wakes
                .map(|due| nanos(due.saturating_duration_since(Instant::now())));
        }
    }

    /// Does what has been left so far. Says whether there is a thread for what it leads to.
    fn catch_up(&self, engine: &mut Engine) -> bool {
        let Some(commands) = held(&self.commands).as_mut().map(std::mem::take) else {
            return false;
        };
        commands.into_iter().for_each(|command| engine.follow(command));
        true
    }
}

/// What a thread that ends, by a defect of ours, does last: nobody waits for it any more, and nobody stays connected to
/// what nobody serves.
struct Last<'a>(&'a Shared);

impl Drop for Last<'_> {
    fn drop(&mut self) {
        let never = held(&self.0.commands).take();
        drop(never);
        held(&self.0.engine).abandon();
    }
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::task::{Context, Waker};
    use std::time::Duration;

    use squall_core::place::Condition;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::timeout;

    use super::*;
    use crate::proxy::Proxy;
    use crate::proxy::buffers::SCANT;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn when_the_thread_has_ended_every_wait_ends_with_an_error_and_nobody_stays_connected() {
        let engine = Handle::start(BUDGET).unwrap();
        let upstream = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let any = ([127, 0, 0, 1], 0).into();
        let proxy = Proxy::on(engine.clone(), any, vec![upstream.local_addr().unwrap()], 1).unwrap();
        proxy.impose(&[]).await.unwrap();
        let client = TcpStream::connect(proxy.addr()).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut asked = std::pin::pin!(proxy.impose(&[]));
        {
            // Whoever finds the engine taken leaves what it wants to the thread.
            let _taken = held(&engine.0.engine);
            engine.tell(Command::Fail);
            let mut nobody = Context::from_waker(Waker::noop());
            assert!(asked.as_mut().poll(&mut nobody).is_pending());
        }
        let answer = timeout(PATIENCE, asked).await.expect("it hangs");
        let again = timeout(PATIENCE, proxy.impose(&[])).await.expect("it hangs");
        for answer in [answer, again] {
            let error = answer.unwrap_err().to_string();
            assert!(error.contains("thread has ended"), "{error}");
        }
        let error = io::Read::read(&mut &client, &mut [0]);
        assert!(
            !error.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock),
            "still connected"
        );
        TcpStream::connect(proxy.addr()).unwrap_err();
    }

    /// What a client sends: words that say whose they are and which.
    fn words(client: u32, count: u32) -> Vec<u8> {
        let word = |number: u32| u64::from(client) << 32 | u64::from(number);
        (0..count).flat_map(|number| word(number).to_be_bytes()).collect()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn many_delayed_connections_hold_no_more_than_their_budget_and_lose_nothing() {
        const SMALL: usize = 4 << 20;
        const MANY: u32 = 40;
        const WORDS: u32 = 1 << 17;
        // One read of each turn may go beyond, and so may a little of each line.
        let bound = SMALL + (1 << 20) + 2 * MANY as usize * (SCANT + 100);
        let engine = Handle::start(SMALL).unwrap();
        let upstream = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let any = ([127, 0, 0, 1], 0).into();
        let proxy = Proxy::on(engine.clone(), any, vec![upstream.local_addr().unwrap()], 1).unwrap();
        let delay = |latency| [Condition::delay(latency, Duration::ZERO)];
        proxy.impose(&delay(Duration::from_secs(3600))).await.unwrap();
        let mut ends = tokio::task::JoinSet::new();
        for client in 0..MANY {
            let mut sending = tokio::net::TcpStream::connect(proxy.addr()).await.unwrap();
            let (mut arriving, _) = timeout(PATIENCE, upstream.accept()).await.unwrap().unwrap();
            ends.spawn(async move {
                sending.write_all(&words(client, WORDS)).await.unwrap();
                sending.shutdown().await.unwrap();
                _ = sending.read(&mut [0]).await;
            });
            ends.spawn(async move {
                let mut all = Vec::new();
                arriving.read_to_end(&mut all).await.unwrap();
                assert!(
                    all == words(client, WORDS),
                    "client {client}: {} bytes, or others",
                    all.len()
                );
            });
        }
        let now = || held(&engine.0.engine).buffers.held();
        let mut most = 0;
        let full = async {
            while most < SMALL {
                most = most.max(now());
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(PATIENCE, full).await.expect("the budget is never used up");
        proxy.impose(&delay(Duration::from_millis(5))).await.unwrap();
        let through = async {
            while !ends.is_empty() || now() > 0 {
                most = most.max(now());
                while let Some(end) = ends.try_join_next() {
                    end.unwrap();
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(3 * PATIENCE, through).await.expect("it hangs");
        assert!(most <= bound, "{most} bytes were held, and no more than {bound} may be");
    }
}
