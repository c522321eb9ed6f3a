mod http;
mod postgres;
mod resp;

use super::*;

/// What became of an exchange.
#[derive(Debug, Default, PartialEq, Eq)]
struct Became {
    /// To the server, with what came late.
    up: Vec<u8>,
    late: Vec<u8>,
    /// To the client.
    down: Vec<u8>,
    ending: Option<Ending>,
    counts: Counts,
}

/// One end says something.
#[derive(Clone, Copy)]
enum Says<'a> {
    Client(&'a [u8]),
    Server(&'a [u8]),
}
use Says::{Client as Up, Server as Down};

/// Lets two ends speak, what each says cut up by `cut`.
fn speak(
    mut dialogue: Dialogue,
    says: &[Says<'_>],
    act: &Act,
    which: &str,
    cut: impl Fn(&[u8]) -> Vec<Vec<u8>>,
) -> Became {
    let mut became = Became::default();
    for says in says {
        let (Up(bytes) | Down(bytes)) = says;
        for piece in cut(bytes) {
            match says {
                Up(_) => {
                    let mut judge = |request: &Request| {
                        let path = request.path.as_deref().unwrap_or("");
                        (request.command == which || path == which).then(|| act.clone())
                    };
                    for passed in dialogue.ask(&piece, &mut judge) {
                        became.up.extend(&passed.bytes);
                        if !passed.later.is_zero() {
                            became.late.extend(passed.bytes);
                        }
                    }
                    became.down.extend(dialogue.told());
                }
                Down(_) => became.down.extend(dialogue.hear(&piece)),
            }
        }
    }
    (became.ending, became.counts) = (dialogue.ending(), dialogue.counts());
    became
}

/// The same, cut at every position and byte by byte: it must make no difference.
fn spoken(protocol: Protocol, fresh: bool, says: &[Says<'_>], act: &Act, which: &str) -> Became {
    let new = || Dialogue::new(protocol, fresh);
    let whole = speak(new(), says, act, which, |bytes| vec![bytes.to_vec()]);
    let longest = says.iter().map(|(Up(bytes) | Down(bytes))| bytes.len()).max().unwrap();
    for at in 1..longest {
        let cut = speak(new(), says, act, which, |bytes| {
            let (one, other) = bytes.split_at(at.min(bytes.len()));
            vec![one.to_vec(), other.to_vec()]
        });
        assert_eq!(
            (&cut.up, &cut.down, cut.ending, cut.counts),
            (&whole.up, &whole.down, whole.ending, whole.counts),
            "cut at {at}"
        );
    }
    let bytes = speak(new(), says, act, which, |bytes| {
        bytes.iter().map(|byte| vec![*byte]).collect()
    });
    assert_eq!(
        (&bytes.up, &bytes.down, bytes.ending, bytes.counts),
        (&whole.up, &whole.down, whole.ending, whole.counts)
    );
    whole
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const ERROR: Act = Act::Error { code: None };

#[test]
fn memory_is_bounded_however_much_is_promised() {
    let many = b"GET /a HTTP/1.1\r\n\r\n".repeat(MOST_OWED + 10);
    let mut dialogue = Dialogue::new(Protocol::Http, true);
    let passed: usize = dialogue
        .ask(&many, &mut |_| None)
        .iter()
        .map(|passed| passed.bytes.len())
        .sum();
    assert_eq!((passed, dialogue.counts().foreign), (many.len(), 1));
    let mut dialogue = Dialogue::new(Protocol::Http, true);
    let mut passed = 0;
    for _ in 0..100 {
        let part = dialogue.ask(&vec![b'a'; 4096], &mut |_| None);
        passed += part.iter().map(|passed| passed.bytes.len()).sum::<usize>();
        let head = dialogue.ask(b"GET / HTTP/1.1\r\nx: ", &mut |_| None);
        passed += head.iter().map(|passed| passed.bytes.len()).sum::<usize>();
    }
    assert_eq!((passed, dialogue.counts().foreign), (100 * (4096 + 19), 1));
}
