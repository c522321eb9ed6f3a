//! Any bytes said by two ends, in any pieces: where nothing is picked out they pass as they are, and whatever is done with
//! requests nothing panics and as much comes of the same bytes in other pieces.

use std::time::Duration;

use squall_core::protocol::{Act, Counts, Dialogue, Ending, Protocol};

/// What became of it: to the server, to the client, how it is to end, what was counted.
type Became = (Vec<u8>, Vec<u8>, Option<Ending>, Counts);

pub fn check(protocol: Protocol, data: &[u8]) {
    let [how, cut, bytes @ ..] = data else { return };
    let fresh = how & 1 == 0;
    // Ends speak in turns: a turn ends where this byte is, so that a fuzzer can make one.
    let turns: Vec<&[u8]> = bytes.split(|byte| *byte == 0xff).collect();
    let (up, down, ending, counts) = speak(Dialogue::new(protocol, fresh), &turns, usize::MAX, &None);
    let said = |which: usize| {
        turns
            .iter()
            .skip(which)
            .step_by(2)
            .copied()
            .collect::<Vec<_>>()
            .concat()
    };
    assert_eq!((up, down), (said(0), said(1)));
    assert_eq!((ending, counts.intercepted), (None, 0));
    assert!(counts.foreign <= 1);
    let act = match how >> 1 & 3 {
        0 => Act::Error { code: None },
        1 => Act::Delay(Duration::from_millis(u64::from(*cut))),
        2 => Act::DropReply,
        _ => Act::HangUp,
    };
    let whole = speak(Dialogue::new(protocol, true), &turns, usize::MAX, &Some(act.clone()));
    let cut = speak(
        Dialogue::new(protocol, true),
        &turns,
        usize::from(*cut).max(1),
        &Some(act),
    );
    // A stream that can't be read is given up where that is first seen, which may be sooner in smaller pieces.
    if whole.3.foreign == 0 && cut.3.foreign == 0 {
        assert_eq!(whole, cut);
    }
}

fn speak(mut dialogue: Dialogue, turns: &[&[u8]], size: usize, act: &Option<Act>) -> Became {
    let (mut up, mut down) = (Vec::new(), Vec::new());
    for (number, turn) in turns.iter().enumerate() {
        for piece in turn.chunks(size) {
            if number % 2 == 1 {
                down.extend(dialogue.hear(piece));
                continue;
            }
            let passed = dialogue.ask(piece, &mut |_| act.clone());
            up.extend(passed.into_iter().flat_map(|passed| passed.bytes));
            down.extend(dialogue.told());
        }
    }
    down.extend(dialogue.told());
    if act.is_none() {
        up.extend(dialogue.asked_all());
        down.extend(dialogue.heard_all());
    }
    (up, down, dialogue.ending(), dialogue.counts())
}
