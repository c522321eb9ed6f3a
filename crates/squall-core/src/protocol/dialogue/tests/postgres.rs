//! PostgreSQL's protocol, as clients and servers of version 15 speak it.

use super::*;

fn message(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32 + 4).to_be_bytes();
    [&[kind][..], &length, payload].concat()
}

fn query(text: &str) -> Vec<u8> {
    message(b'Q', format!("{text}\0").as_bytes())
}

fn done(tag: &str) -> Vec<u8> {
    message(b'C', format!("{tag}\0").as_bytes())
}

fn ready(state: u8) -> Vec<u8> {
    message(b'Z', &[state])
}

/// What the server says of something that does not exist.
fn missing() -> Vec<u8> {
    message(
        b'E',
        b"SERROR\0VERROR\0C34000\0Mportal \"squall_intercepted\" does not exist\0\0",
    )
}

/// A client that greets, asks whether it may encrypt, and is let in.
fn greeting() -> Vec<Vec<u8>> {
    let ask = [&8u32.to_be_bytes()[..], &80_877_103u32.to_be_bytes()].concat();
    let startup = [&18u32.to_be_bytes()[..], &196_608u32.to_be_bytes(), b"user\0me\0\0\0"].concat();
    let startup = [&(startup.len() as u32).to_be_bytes()[..], &startup[4..]].concat();
    let welcome = [
        message(b'R', &[0; 4]),
        message(b'S', b"TimeZone\0UTC\0"),
        message(b'K', &[1; 8]),
        ready(b'I'),
    ]
    .concat();
    vec![ask, startup, welcome]
}

#[test]
fn postgres_is_followed_from_its_greeting_on() {
    let [ask, startup, welcome] = greeting().try_into().unwrap();
    let asked = query("/* first */ commit");
    let back = [done("COMMIT"), ready(b'I')].concat();
    let says = [
        Up(&ask),
        Down(b"N"),
        Up(&startup),
        Down(&welcome),
        Up(&asked),
        Down(&back),
    ];
    let became = spoken(Protocol::Postgres, true, &says, &ERROR, "BEGIN");
    assert_eq!(became.up, [ask.clone(), startup.clone(), asked].concat());
    assert_eq!(became.down, [b"N".to_vec(), welcome, back].concat());
    assert_eq!((became.counts.requests, became.counts.foreign), (1, 0));
    let encrypted = [
        Up(&ask),
        Down(b"S"),
        Up(b"\x16\x03\x01\x00\x05hello"),
        Down(b"\x16\x03\x03"),
    ];
    let became = spoken(Protocol::Postgres, true, &encrypted, &ERROR, "BEGIN");
    assert_eq!((became.counts.foreign, became.up.len(), became.down.len()), (1, 18, 4));
}

#[test]
fn a_postgres_query_that_fails_is_asked_as_one_that_fails_of_itself() {
    let asked = [query("select 1"), query("update t set a = 1"), query("select 2")].concat();
    let back = [
        done("SELECT 1"),
        ready(b'T'),
        missing(),
        ready(b'E'),
        done("SELECT 1"),
        ready(b'E'),
    ]
    .concat();
    let code = Act::Error {
        code: Some("40001".to_owned()),
    };
    let became = spoken(Protocol::Postgres, false, &[Up(&asked), Down(&back)], &code, "UPDATE");
    assert_eq!(
        became.up,
        [
            query("select 1"),
            query("EXECUTE squall_intercepted"),
            query("select 2")
        ]
        .concat()
    );
    let told = text(&became.down);
    assert!(
        told.contains("C40001\0") && !told.contains("squall_intercepted"),
        "{told}"
    );
    assert!(became.down.starts_with(&[done("SELECT 1"), ready(b'T')].concat()));
    assert!(
        became
            .down
            .ends_with(&[ready(b'E'), done("SELECT 1"), ready(b'E')].concat())
    );
}

#[test]
fn a_postgres_commit_that_fails_is_a_rollback_of_which_the_client_hears_nothing() {
    let notice = message(b'N', b"SWARNING\0Mthere is no transaction in progress\0\0");
    let back = [notice, done("ROLLBACK"), missing(), ready(b'I')].concat();
    let became = spoken(
        Protocol::Postgres,
        false,
        &[Up(&query("COMMIT")), Down(&back)],
        &ERROR,
        "COMMIT",
    );
    assert_eq!(became.up, query("ROLLBACK; EXECUTE squall_intercepted"));
    assert!(became.down.starts_with(b"E") && became.down.ends_with(&ready(b'I')));
    assert!(!text(&became.down).contains("ROLLBACK") && !text(&became.down).contains("in progress"));
    assert!(text(&became.down).contains("C57014\0"));
}

/// A statement prepared under a name, bound and executed.
fn extended(name: &str, text: &str) -> Vec<u8> {
    [
        message(b'P', format!("{name}\0{text}\0\0\0").as_bytes()),
        message(b'B', format!("\0{name}\0\0\0\0\0\0\0").as_bytes()),
        message(b'D', b"P\0"),
        message(b'E', b"\0\0\0\0\0"),
        message(b'S', b""),
    ]
    .concat()
}

fn parsed() -> Vec<u8> {
    [message(b'1', b""), message(b'2', b""), message(b'n', b"")].concat()
}

#[test]
fn a_prepared_statement_is_known_by_its_name_and_fails_up_to_the_next_sync() {
    let asked = extended("s1", "insert into t values (1)");
    let again = [
        message(b'B', b"\0s1\0\0\0\0\0\0\0"),
        message(b'E', b"\0\0\0\0\0"),
        message(b'S', b""),
    ]
    .concat();
    let says = [Up(&asked), Up(&again)];
    let became = spoken(Protocol::Postgres, false, &says, &ERROR, "INSERT");
    assert_eq!(became.counts.requests, 2);
    let nobody = message(b'E', b"squall_intercepted\0\0\0\0\0");
    let end = [nobody, message(b'S', b"")].concat();
    let pieces = became.up.windows(end.len()).filter(|part| *part == end).count();
    assert_eq!((pieces, became.up.len()), (2, asked.len() + again.len() + 36));
    let back = [parsed(), missing(), ready(b'I')].concat();
    let became = spoken(Protocol::Postgres, false, &[Up(&asked), Down(&back)], &ERROR, "INSERT");
    assert!(became.down.starts_with(&parsed()) && became.down.ends_with(&ready(b'I')));
    assert!(text(&became.down).contains("this statement was intercepted"));
}

#[test]
fn a_prepared_commit_that_fails_is_rolled_back_behind_the_clients_back() {
    let back = [
        parsed(),
        message(b'1', b""),
        message(b'2', b""),
        done("ROLLBACK"),
        message(b'3', b""),
        missing(),
        ready(b'I'),
    ];
    let says = [Up(&extended("", "COMMIT")), Down(&back.concat())];
    let became = spoken(Protocol::Postgres, false, &says, &ERROR, "COMMIT");
    assert!(text(&became.up).contains("ROLLBACK"));
    let told = text(&became.down);
    assert!(
        became.down.starts_with(&[parsed(), b"E".to_vec()].concat()) && became.down.ends_with(&ready(b'I')),
        "{told:?}"
    );
    assert!(!told.contains("ROLLBACK"));
}

#[test]
fn a_postgres_error_of_the_servers_own_is_told_as_it_is() {
    let own = message(b'E', b"SERROR\0C42601\0Msyntax error\0\0");
    let back = [own.clone(), ready(b'I')].concat();
    let became = spoken(
        Protocol::Postgres,
        false,
        &[Up(&extended("", "selec")), Down(&back)],
        &ERROR,
        "SELEC",
    );
    assert_eq!((became.down, became.counts.intercepted), (back, 0));
}

#[test]
fn of_a_lost_commit_the_client_hears_nothing_and_of_what_came_before_all() {
    let asked = [query("insert into t values (1)"), query("commit")].concat();
    let first = [done("INSERT 0 1"), ready(b'T')].concat();
    let back = [first.clone(), done("COMMIT"), ready(b'I')].concat();
    for (act, ending) in [(Act::DropReply, None), (Act::HangUp, Some(Ending::Reset))] {
        let became = spoken(Protocol::Postgres, false, &[Up(&asked), Down(&back)], &act, "COMMIT");
        assert_eq!((&became.up, &became.down, became.ending), (&asked, &first, ending));
        assert_eq!(became.counts.intercepted, 1);
    }
}

#[test]
fn a_connection_joined_in_the_middle_is_read_from_the_first_request_after_an_answer() {
    // A part of a long query, the rest of its answer, and then a query.
    let rest = b"lect a, b from c\0";
    let says = [
        Up(rest),
        Down(b"rest of a row"),
        Up(&query("commit")),
        Down(&[done("COMMIT"), ready(b'I')].concat()),
    ];
    let new = || Dialogue::new(Protocol::Postgres, false);
    let became = speak(new(), &says, &Act::DropReply, "COMMIT", |bytes| vec![bytes.to_vec()]);
    assert_eq!(became.up, [rest.to_vec(), query("commit")].concat());
    assert_eq!(
        (text(&became.down), became.counts.foreign, became.counts.intercepted),
        ("rest of a row".to_owned(), 0, 1)
    );
    // Twice in vain is no coincidence.
    let says = [Up(&b"\x17\x03\x03"[..]), Down(b"\x17"), Up(b"\x17\x03\x03")];
    assert_eq!(
        spoken(Protocol::Postgres, false, &says, &ERROR, "COMMIT")
            .counts
            .foreign,
        1
    );
}

#[test]
fn a_connection_has_a_hole_where_an_end_would_wait_for_what_nobody_tells() {
    let whole = [Act::Delay(Duration::from_secs(1)), Act::HangUp, Act::DropReply];
    for (act, hole) in whole.into_iter().map(|act| (act, false)).chain([(ERROR, true)]) {
        let mut dialogue = Dialogue::new(Protocol::Postgres, false);
        dialogue.ask(&query("commit"), &mut |_| Some(act.clone()));
        assert_eq!(dialogue.has_hole(), hole, "{act}");
        dialogue.hear(&missing());
        dialogue.hear(&ready(b'I'));
        assert_eq!(
            dialogue.has_hole(),
            !matches!(act, Act::Delay(_) | Act::Error { .. }),
            "{act}"
        );
    }
}
