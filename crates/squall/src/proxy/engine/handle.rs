//! How the engine is spoken to, and its thread.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::Instant;

use squall_core::time::nanos;

use super::{Command, Engine, RETRY};
use crate::poll::{BELL, Bell, Poll, Sockets};

/// How the engine is spoken to.
#[derive(Clone)]
pub(in crate::proxy) struct Handle(Arc<Shared>);

struct Shared {
    engine: Mutex<Engine>,
    /// What came while the thread was at work.
    commands: Mutex<Vec<Command>>,
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
        let bell = Bell::new()?;
        let sockets = Sockets::new(&bell)?;
        let shared = Arc::new(Shared {
            engine: Mutex::new(Engine::new(sockets.clone())),
            commands: Mutex::default(),
            bell,
        });
        let own = Arc::clone(&shared);
        thread::Builder::new()
            .name("squall-proxy".to_owned())
            .spawn(move || own.run(Poll::on(sockets)))?;
        Ok(slot.insert(Self(shared)).clone())
    }

    /// Tells the engine something. Done here and now while its thread sleeps, which spares two changes of threads, the
    /// most of what an order takes. Else the thread does it at once: one that has much to do might not let go of the
    /// engine for long enough to be overtaken.
    pub(in crate::proxy) fn tell(&self, command: Command) {
        let shared = &*self.0;
        match shared.engine.try_lock() {
            Ok(mut engine) => {
                // What others were told to wait for comes first.
                shared.catch_up(&mut engine);
                engine.follow(command);
                let due = engine.due();
                let late = due.is_some_and(|due| engine.wakes.is_none_or(|wakes| due < wakes));
                if !late {
                    return;
                }
            }
            Err(TryLockError::WouldBlock | TryLockError::Poisoned(_)) => held(&shared.commands).push(command),
        }
        shared.bell.ring();
    }
}

impl Shared {
    fn run(&self, mut poll: Poll) {
        // Without it alarms are up to 50 µs later, which is no reason not to run.
        _ = nix::sys::prctl::set_timerslack(1);
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
                        self.catch_up(&mut engine);
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

    fn catch_up(&self, engine: &mut Engine) {
        let commands = std::mem::take(&mut *held(&self.commands));
        commands.into_iter().for_each(|command| engine.follow(command));
    }
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
