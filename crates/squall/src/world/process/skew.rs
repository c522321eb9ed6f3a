//! Wall clocks that are wrong, of one instance alone.
//!
//! A program reads its clocks through functions the kernel maps into each process: the vDSO. While a process stands still,
//! those of them that tell the time of day are replaced, in its own copy, by others that ask the kernel and add an offset.
//! Nobody else has that copy but the children it forks later. All other clocks, and the kernel's own view of files and
//! timers, stay right. What was replaced goes with the process; what is started meanwhile is replaced, too.

mod ask;
mod code;
mod patch;
mod trial;

pub(in crate::world) use ask::ask;
pub use trial::{Clock, tell};

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::{Duration, Instant};

use squall_core::event::{Said, SkewLook};
use squall_core::place::{Condition, Instance, Skew};
use tokio::sync::{Mutex, watch};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use self::code::Patches;
use self::patch::{Process, is_bare, lives};
use crate::processes;
use crate::world::Trouble;

/// Children that became other programs are looked for this often; a start is noticed at once.
const LOOK: Duration = Duration::from_millis(20);
/// Processes may be born while others are replaced: so often is looked once more.
const PASSES: usize = 50;
/// One that has no memory has some, or has ended, within this.
const SETTLES: Duration = Duration::from_secs(1);
/// Between two looks whether it has.
const PAUSE: Duration = Duration::from_millis(1);

/// Where the first process of an instance is told.
pub(super) type Pid = watch::Receiver<Option<u32>>;

/// The wrong clocks in force, by instance. Each instance has a lock of its own: a clock is made wrong only when nobody reads it.
#[derive(Debug, Default)]
pub(super) struct Skews(Lock<BTreeMap<Instance, Arc<Mutex<Option<Held>>>>>);

#[derive(Debug)]
struct Held {
    skew: Skew,
    clocks: Arc<Lock<Clocks>>,
    /// Replaces them in what is started meanwhile.
    follows: JoinHandle<()>,
    /// The first process that has said that its clock is wrong: there is no need to ask it again.
    said: Option<u32>,
}

/// The processes of one instance whose clock functions are replaced.
#[derive(Debug)]
struct Clocks {
    patches: Patches,
    processes: BTreeMap<u32, Process>,
    lifted: bool,
}

/// Whether processes were born all the time while something was done about each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Born {
    NoMore,
    EverNew,
}

impl Skews {
    fn of(&self, instance: &Instance) -> Arc<Mutex<Option<Held>>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(instance.clone()).or_default().clone()
    }

    /// Lifts what is in force at an instance and not wanted.
    ///
    /// # Errors
    /// A process could not be given its clocks back.
    pub(super) async fn lift(&self, instance: &Instance, wanted: &[Condition], pid: &Pid) -> Result<(), Trouble> {
        let own = self.of(instance);
        let mut own = own.lock().await;
        let Some(held) = own.as_ref() else { return Ok(()) };
        if wanted.contains(&Condition::Skewed(held.skew)) {
            return Ok(());
        }
        held.follows.abort();
        let (clocks, root) = (held.clocks.clone(), *pid.borrow());
        off_thread(move || lock(&clocks).lift(root))
            .await
            .map_err(Trouble::io(format!("{instance}, to get its clock back")))?;
        *own = None;
        Ok(())
    }

    /// Puts in force what is wanted at an instance and is not.
    ///
    /// # Errors
    /// It did not come into force.
    pub(super) async fn hold(&self, instance: &Instance, wanted: &[Condition], pid: &Pid) -> Result<(), Trouble> {
        let skewed = wanted.iter().find_map(|condition| match condition {
            Condition::Skewed(skew) => Some(*skew),
            _ => None,
        });
        let own = self.of(instance);
        let mut own = own.lock().await;
        let Some(skew) = skewed.filter(|_| own.is_none()) else {
            return Ok(());
        };
        let trouble = || Trouble::io(format!("{instance}, to be skewed"));
        let clocks = Arc::new(Lock::new(Clocks {
            patches: Patches::new(skew).map_err(trouble())?,
            processes: BTreeMap::new(),
            lifted: false,
        }));
        let follows = tokio::spawn(follow(clocks.clone(), pid.clone()));
        // Known before it is tried: what was done of it by then is lifted as all else is.
        *own = Some(Held {
            skew,
            clocks: clocks.clone(),
            follows,
            said: None,
        });
        let root = *pid.borrow();
        off_thread(move || lock(&clocks).hold(root)).await.map_err(trouble())
    }

    /// Looks at an instance whose clock is wrong; `asks` tells what it says of it.
    pub(super) async fn look(
        &self,
        instance: &Instance,
        pid: &Pid,
        asks: impl Future<Output = Option<Said>>,
    ) -> Option<SkewLook> {
        let own = self.of(instance);
        let (by, clocks, known) = {
            let own = own.lock().await;
            let held = own.as_ref()?;
            (held.skew.by, held.clocks.clone(), held.said)
        };
        // What is lifted meanwhile waits neither for a look nor for an answer, and no look puts it in force again.
        let (root, looked) = (*pid.borrow(), clocks.clone());
        let (replaced, ran) = off_thread(move || {
            let mut clocks = lock(&looked);
            // One that can't be is not among those that are.
            _ = clocks.hold(root);
            Ok(clocks.count())
        })
        .await
        .ok()?;
        let said = if known == root { None } else { asks.await };
        if said.is_some_and(|said| said.allows(by) && !said.allows(0))
            && let Some(held) = own.lock().await.as_mut()
            && Arc::ptr_eq(&held.clocks, &clocks)
        {
            held.said = root;
        }
        Some(SkewLook { replaced, ran, said })
    }
}

/// Replaces them in each process that is new, until it is lifted or the instance is nobody's any more.
async fn follow(clocks: Arc<Lock<Clocks>>, mut pid: Pid) {
    loop {
        if let Ok(Err(_)) = timeout(LOOK, pid.changed()).await {
            return;
        }
        let (clocks, root) = (clocks.clone(), *pid.borrow_and_update());
        // What can't be replaced is missed at the next look.
        _ = off_thread(move || lock(&clocks).hold(root)).await;
    }
}

impl Clocks {
    /// Replaces them in every process of the instance that has them not replaced yet.
    fn hold(&mut self, root: Option<u32>) -> io::Result<()> {
        if self.lifted {
            return Ok(());
        }
        let replace = |clocks: &mut Self, pid| {
            let new = !clocks.processes.contains_key(&pid);
            if new {
                let process = Process::replace(pid, &clocks.patches)?;
                clocks.processes.insert(pid, process);
            }
            Ok(new)
        };
        // Where ever new ones are born they are replaced as they come.
        self.each(root, replace).map(drop)
    }

    /// Gives each process its own back.
    fn lift(&mut self, root: Option<u32>) -> io::Result<()> {
        self.lifted = true;
        match self.each(root, |clocks, pid| patch::restore(pid, &clocks.patches))? {
            Born::NoMore => {
                self.processes.clear();
                Ok(())
            }
            Born::EverNew => Err(io::Error::other("more and more processes were born meanwhile")),
        }
    }

    /// Does something about every process, until there is none left where there is anything to do.
    fn each(&mut self, root: Option<u32>, act: impl Fn(&mut Self, u32) -> io::Result<bool>) -> io::Result<Born> {
        let settled = Instant::now() + SETTLES;
        let mut passes = 0;
        while passes < PASSES {
            self.processes.retain(|_, process| process.lives());
            let (mut acted, mut failed) = (false, None);
            for pid in self.family(root) {
                match act(self, pid) {
                    Ok(done) => acted |= done,
                    Err(error) if lives(pid) => failed = failed.or(Some(error)),
                    Err(_) => {}
                }
            }
            match failed {
                _ if acted => passes += 1,
                None => return Ok(Born::NoMore),
                // One that is about to end, or to become another program, has no memory for a moment.
                Some(error) if is_bare(&error) && Instant::now() < settled => std::thread::sleep(PAUSE),
                Some(error) => return Err(error),
            }
        }
        Ok(Born::EverNew)
    }

    /// In how many processes they are replaced, and how many of these have run them since.
    fn count(&mut self) -> (u32, u32) {
        let ran = self
            .processes
            .iter_mut()
            .map(|(pid, process)| process.ran(*pid, &self.patches));
        let ran: Vec<Option<bool>> = ran.collect();
        let count = |wanted: fn(&bool) -> bool| ran.iter().flatten().filter(|ran| wanted(ran)).count() as u32;
        (count(|_| true), count(|ran| *ran))
    }

    /// All processes of the instance, also those whose parents have died.
    fn family(&self, root: Option<u32>) -> Vec<u32> {
        let roots = root.into_iter().chain(self.processes.keys().copied());
        let mut all: Vec<u32> = roots.flat_map(processes::family).collect();
        let mut seen = std::collections::BTreeSet::new();
        all.retain(|pid| seen.insert(*pid) && lives(*pid));
        all
    }
}

/// What waits for processes to stand still must not hold up squall's own.
async fn off_thread<T: Send + 'static>(act: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    spawn_blocking(act).await.map_err(io::Error::other)?
}

fn lock(clocks: &Lock<Clocks>) -> std::sync::MutexGuard<'_, Clocks> {
    clocks.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

    const SECOND: i64 = 1_000_000_000;
    /// Begins a line that is not the test harness's.
    const MARK: char = '@';

    /// Tells what its clocks are for each line of the input, while others read theirs all the time; as a test of its own
    /// there is nothing to do.
    #[test]
    fn tells() {
        let Ok(spinning) = std::env::var("TELLS") else { return };
        for _ in 0..spinning.parse().unwrap() {
            std::thread::spawn(|| {
                loop {
                    std::hint::black_box(std::time::SystemTime::now());
                }
            });
        }
        let began = Instant::now();
        for _ in io::stdin().lock().lines() {
            println!("{MARK}{} {}", ask::now(), began.elapsed().as_nanos());
        }
        std::process::exit(0);
    }

    /// Somebody who tells what time it is.
    struct Teller {
        child: Child,
        input: ChildStdin,
        output: BufReader<ChildStdout>,
    }

    impl Teller {
        fn start(mut command: Command) -> Self {
            let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
            let output = BufReader::new(output);
            Self { child, input, output }
        }

        /// This test's own program, with so many threads that read their clocks all the time.
        fn spinning(threads: u32) -> Self {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(words()).env("TELLS", threads.to_string());
            Self::start(command)
        }

        fn pid(&self) -> u32 {
            self.child.id()
        }

        /// How far its wall clock is ahead, and what the clock shows that only goes forward.
        fn ask(&mut self) -> (i64, i64) {
            self.input.write_all(b"\n").unwrap();
            let mut line = String::new();
            while !line.contains(MARK) {
                line.clear();
                assert!(self.output.read_line(&mut line).unwrap() > 0, "it has ended");
            }
            let (_, told) = line.split_once(MARK).unwrap();
            let (wall, since) = told.trim().split_once(' ').unwrap();
            (wall.parse::<i64>().unwrap() - ask::now(), since.parse().unwrap())
        }
    }

    impl Drop for Teller {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    fn words() -> [String; 3] {
        let own = "world::process::skew::tests::tells";
        ["--exact", own, "--nocapture"].map(str::to_owned)
    }

    fn clocks(by: i64) -> Clocks {
        Clocks {
            patches: Patches::new(Skew { by }).unwrap(),
            processes: BTreeMap::new(),
            lifted: false,
        }
    }

    fn near(ahead: i64, by: i64) -> bool {
        // Asking takes a while, during which squall's own clock goes on.
        (by - 2 * SECOND..=by).contains(&ahead)
    }

    #[test]
    fn a_wall_clock_is_ahead_or_behind_and_right_again_and_the_other_clock_never_moves() {
        let mut teller = Teller::spinning(0);
        let (ahead, since) = teller.ask();
        assert!(near(ahead, 0), "{ahead}");
        let began = Instant::now();
        for by in [3600 * SECOND, -90 * SECOND, 10 * SECOND - 1, -7 * SECOND - 1] {
            let (mut clocks, pid) = (clocks(by), Some(teller.pid()));
            clocks.hold(pid).unwrap();
            assert_eq!(clocks.count(), (1, 0), "nobody has asked for the time");
            // Parts of a second are carried over, whatever they are.
            for _ in 0..50 {
                let (ahead, _) = teller.ask();
                assert!(near(ahead, by), "{ahead} for {by}");
            }
            // The kernel may look at who used the page, too, and forget it.
            let end = Instant::now() + Duration::from_secs(20);
            while clocks.count() != (1, 1) {
                assert!(Instant::now() < end, "that the time was asked for is not seen");
                teller.ask();
            }
            clocks.lift(pid).unwrap();
            let (ahead, now) = teller.ask();
            assert!(near(ahead, 0), "{ahead} after {by}");
            let elapsed = began.elapsed().as_nanos() as i64;
            assert!((elapsed - (now - since)).abs() < 2 * SECOND, "{elapsed} {since} {now}");
        }
    }

    #[test]
    fn who_reads_clocks_all_the_time_is_found_outside_them_and_lives_on() {
        let mut teller = Teller::spinning(2);
        teller.ask();
        for _ in 0..10 {
            let (mut clocks, pid) = (clocks(3600 * SECOND), Some(teller.pid()));
            clocks.hold(pid).unwrap();
            assert!(near(teller.ask().0, 3600 * SECOND));
            clocks.lift(pid).unwrap();
            assert!(near(teller.ask().0, 0));
        }
    }

    #[test]
    fn what_was_put_back_by_somebody_else_is_not_said_to_be_in_force() {
        let mut teller = Teller::spinning(0);
        let (mut clocks, pid) = (clocks(3600 * SECOND), Some(teller.pid()));
        teller.ask();
        clocks.hold(pid).unwrap();
        assert!(patch::restore(teller.pid(), &clocks.patches).unwrap());
        assert!(near(teller.ask().0, 0));
        assert_eq!(clocks.count(), (0, 0));
    }

    #[test]
    fn who_became_another_program_or_was_born_since_gets_a_wrong_clock_too() {
        let program = std::env::current_exe().unwrap();
        let mut command = Command::new("sh");
        // A child of the shell, and then the shell itself.
        let script = "read line; sleep 60 & read line; exec \"$@\"";
        command
            .args(["-c", script, "sh"])
            .arg(program)
            .args(words())
            .env("TELLS", "0");
        let mut teller = Teller::start(command);
        let (mut clocks, pid) = (clocks(3600 * SECOND), Some(teller.pid()));
        clocks.hold(pid).unwrap();
        assert_eq!(clocks.count().0, 1);
        let mut until = |what: &str, processes: usize, clocks: &mut Clocks| {
            teller.input.write_all(b"\n").unwrap();
            let end = Instant::now() + Duration::from_secs(20);
            while clocks.family(pid).len() != processes {
                assert!(Instant::now() < end, "{what}");
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        until("a child", 2, &mut clocks);
        clocks.hold(pid).unwrap();
        assert_eq!(clocks.count().0, 2);
        until("another program", 2, &mut clocks);
        let own = std::fs::read_link("/proc/self/exe").unwrap();
        let end = Instant::now() + Duration::from_secs(20);
        while std::fs::read_link(format!("/proc/{}/exe", teller.pid())).ok() != Some(own.clone()) {
            assert!(Instant::now() < end, "it did not become another program");
            std::thread::sleep(Duration::from_millis(5));
        }
        clocks.hold(pid).unwrap();
        assert!(near(teller.ask().0, 3600 * SECOND));
        let sleeps: Vec<u32> = clocks.family(pid).into_iter().filter(|one| Some(*one) != pid).collect();
        let own = |one: &u32| patch::is_own(*one, &clocks.patches).unwrap();
        let wrong: Vec<bool> = sleeps.iter().map(own).collect();
        assert_eq!((clocks.count().0, wrong), (2, vec![false]), "the child, too");
        clocks.lift(pid).unwrap();
        assert!(near(teller.ask().0, 0));
        assert_eq!(clocks.count(), (0, 0));
        let own = |one: &u32| patch::is_own(*one, &clocks.patches).unwrap();
        assert!(sleeps.iter().all(own), "the child has its clocks back");
        processes::signal(&sleeps, nix::sys::signal::Signal::SIGKILL);
    }

    /// What is done at once takes no longer, however busy the machine is.
    const SOON: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn no_instance_waits_for_what_is_done_to_another() {
        let (skews, [one, other]) = (Skews::default(), ["one", "other"].map(|name| Instance::new(name, 1)));
        let pid = watch::channel(None).1;
        let own = skews.of(&one);
        let _busy = own.lock().await;
        let lifted = timeout(SOON, skews.lift(&other, &[], &pid)).await;
        lifted.expect("it waited for the other one").unwrap();
        let again = timeout(Duration::from_millis(20), skews.lift(&one, &[], &pid)).await;
        again.expect_err("its own is taken");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_does_not_answer_keeps_no_clock_wrong() {
        let mut teller = Teller::spinning(0);
        teller.ask();
        let (skews, one) = (Skews::default(), Instance::new("one", 1));
        let (_runs, pid) = watch::channel(Some(teller.pid()));
        let skew = Skew { by: 3600 * SECOND };
        skews.hold(&one, &[Condition::Skewed(skew)], &pid).await.unwrap();
        assert!(near(teller.ask().0, skew.by));
        let (asked, is_asked) = tokio::sync::oneshot::channel();
        let (answer, answers) = tokio::sync::oneshot::channel();
        let asks = async {
            asked.send(()).unwrap();
            answers.await.ok()
        };
        let lifts = async {
            timeout(SOON, is_asked).await.expect("it is asked").unwrap();
            let lifted = timeout(SOON, skews.lift(&one, &[], &pid)).await;
            lifted.expect("it waited for an answer").unwrap();
            assert!(near(teller.ask().0, 0));
            drop(answer);
        };
        let (look, ()) = tokio::join!(skews.look(&one, &pid, asks), lifts);
        assert_eq!(look.map(|look| (look.replaced, look.said)), Some((1, None)));
    }

    #[test]
    fn who_is_just_being_born_or_ends_is_no_error() {
        // Its children end as soon as they are there; some become other programs before.
        let mut command = Command::new("sh");
        command.args(["-c", "while :; do : | : | /bin/true; done"]);
        let teller = Teller::start(command);
        for round in 0..100 {
            let (mut clocks, pid) = (clocks(3600 * SECOND), Some(teller.pid()));
            clocks
                .hold(pid)
                .unwrap_or_else(|error| panic!("round {round}: {error}"));
            clocks
                .lift(pid)
                .unwrap_or_else(|error| panic!("round {round}, lifted: {error}"));
        }
    }
}
