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

// HTTP, as hyper and nginx speak it: two requests in one go, one with a body in chunks.

const GET: &[u8] = b"GET /tasks/1?full=1 HTTP/1.1\r\nhost: a\r\n\r\n";
const POST: &[u8] = b"POST /tasks HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nGET /\r\nb;x=y\r\n HTTP/1.1\r\n\r\n0\r\nsum: 1\r\n\r\n";
const PUT: &[u8] = b"PUT /tasks/1 HTTP/1.1\r\nhost: a\r\ncontent-length: 7\r\n\r\n{\"a\":1}";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine";
const CHUNKED: &[u8] = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n";

#[test]
fn http_passes_as_it_is_where_nothing_fits() {
    let both = [GET, POST, PUT].concat();
    let back = [
        &b"HTTP/1.1 100 Continue\r\n\r\n"[..],
        OK,
        CHUNKED,
        b"HTTP/1.1 204 No Content\r\n\r\n",
    ]
    .concat();
    let became = spoken(Protocol::Http, true, &[Up(&both), Down(&back)], &ERROR, "DELETE");
    assert_eq!((became.up, became.down), (both, back));
    assert_eq!(
        (became.counts.requests, became.counts.intercepted, became.counts.foreign),
        (3, 0, 0)
    );
}

#[test]
fn an_http_request_that_fails_is_answered_in_its_turn_and_the_server_never_sees_it() {
    let asked = [GET, POST, PUT].concat();
    let became = spoken(
        Protocol::Http,
        true,
        &[Up(&asked), Down(&[OK, CHUNKED].concat())],
        &ERROR,
        "POST",
    );
    assert_eq!(became.up, [GET, PUT].concat());
    let told = text(&became.down);
    let (first, rest) = told.split_at(OK.len());
    assert_eq!(first.as_bytes(), OK);
    assert!(rest.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{rest}");
    assert!(rest.ends_with(&text(CHUNKED)), "{rest}");
    assert_eq!((became.counts.requests, became.counts.intercepted), (3, 1));
}

#[test]
fn an_http_answer_names_its_length_and_has_no_body_where_none_is_read() {
    let head = b"HEAD /a HTTP/1.1\r\n\r\n";
    let code = Act::Error {
        code: Some("429".to_owned()),
    };
    let became = spoken(Protocol::Http, true, &[Up(head)], &code, "/a");
    let told = text(&became.down);
    assert!(
        told.starts_with("HTTP/1.1 429 Too Many Requests\r\n") && told.ends_with("\r\n\r\n"),
        "{told}"
    );
    let became = spoken(Protocol::Http, true, &[Up(PUT)], &code, "/tasks/1");
    let told = text(&became.down);
    let (head, body) = told.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("content-length: {}", body.len())), "{told}");
}

#[test]
fn an_http_client_that_waits_for_leave_to_send_is_told_at_once_and_left() {
    let expects = b"POST /a HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 10\r\n\r\n";
    let became = spoken(Protocol::Http, true, &[Up(expects)], &ERROR, "POST");
    assert!(text(&became.down).contains("connection: close"));
    assert_eq!((became.ending, became.up.len()), (Some(Ending::Close), 0));
}

#[test]
fn an_http_request_is_late_and_so_is_what_comes_after_it() {
    let asked = [GET, PUT, GET].concat();
    let by = Act::Delay(Duration::from_millis(500));
    let new = || Dialogue::new(Protocol::Http, true);
    let became = speak(new(), &[Up(&asked)], &by, "PUT", |bytes| vec![bytes.to_vec()]);
    assert_eq!((&became.up, &became.late), (&asked, &[PUT, GET].concat()));
    assert_eq!(became.counts.intercepted, 1);
}

#[test]
fn of_a_lost_http_reply_and_all_later_ones_nothing_is_heard() {
    let asked = [GET, PUT, GET].concat();
    let says = [Up(&asked), Down(OK), Down(OK), Down(OK)];
    let became = spoken(Protocol::Http, true, &says, &Act::DropReply, "PUT");
    assert_eq!((became.up, became.down), (asked, OK.to_vec()));
    assert_eq!((became.ending, became.counts.intercepted), (None, 1));
}

#[test]
fn a_connection_hangs_up_once_the_server_has_replied_and_not_before() {
    let says = [Up(PUT), Down(&CHUNKED[..CHUNKED.len() - 1])];
    let became = spoken(Protocol::Http, true, &says, &Act::HangUp, "PUT");
    assert_eq!(
        (became.ending, became.counts.intercepted, became.down.len()),
        (None, 0, 0)
    );
    let became = spoken(Protocol::Http, true, &[Up(PUT), Down(CHUNKED)], &Act::HangUp, "PUT");
    assert_eq!(
        (became.ending, became.counts.intercepted, became.down.len()),
        (Some(Ending::Reset), 1, 0)
    );
    let mut dialogue = Dialogue::new(Protocol::Http, true);
    dialogue.ask(PUT, &mut |_| Some(Act::HangUp));
    assert!(dialogue.hear(b"HTTP/1.0 200 OK\r\n\r\nuntil it closes").is_empty() && dialogue.ending().is_none());
    assert!(dialogue.heard_all().is_empty() && dialogue.ending() == Some(Ending::Reset));
}

#[test]
fn what_two_ends_could_read_differently_is_not_read() {
    for head in [
        "PRI * HTTP/2.0\r\n\r\n",
        "CONNECT a:1 HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        "GET / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n",
        "\u{16}\u{3}\u{1} a greeting of TLS",
        "get / HTTP/1.1\r\n\r\n",
    ] {
        let says = [Up(head.as_bytes()), Down(b"whatever")];
        let became = spoken(Protocol::Http, true, &says, &ERROR, "GET");
        assert_eq!(
            (text(&became.up), text(&became.down)),
            (head.to_owned(), "whatever".to_owned())
        );
        assert_eq!((became.counts.foreign, became.counts.intercepted), (1, 0), "{head}");
    }
}

// RESP, as Redis 7 speaks it.

const SET: &[u8] = b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$4\r\n\r\n*1\r\n";
const READ: &[u8] = b"*2\r\n$3\r\nget\r\n$1\r\na\r\n";

#[test]
fn resp_passes_as_it_is_where_nothing_fits_whatever_is_replied() {
    let asked = [SET, READ, b"PING\r\n", READ, READ, READ].concat();
    let back = b"+OK\r\n$4\r\n*1\r\n\r\n*2\r\n*0\r\n%1\r\n+a\r\n$-1\r\n|1\r\n+k\r\n:1\r\n#t\r\n>2\r\n+message\r\n$1\r\nx\r\n*-1\r\n-ERR no\r\n";
    let became = spoken(Protocol::Resp, true, &[Up(&asked), Down(back)], &ERROR, "DEL");
    assert_eq!((became.up, became.down), (asked, back.to_vec()));
    assert_eq!((became.counts.requests, became.counts.foreign), (6, 0));
}

#[test]
fn a_resp_command_that_fails_is_asked_as_one_that_fails_of_itself_and_told_as_the_error() {
    let asked = [READ, SET, READ].concat();
    // A push and a reply that holds others come before.
    let back = b"*2\r\n:1\r\n*1\r\n+x\r\n>1\r\n+invalidate\r\n-ERR unknown command 'SQUALL'\r\n$1\r\n1\r\n";
    let code = Act::Error {
        code: Some("LOADING".to_owned()),
    };
    let became = spoken(Protocol::Resp, true, &[Up(&asked), Down(back)], &code, "SET");
    assert_eq!(became.up, [READ, b"*1\r\n$6\r\nSQUALL\r\n", READ].concat());
    assert_eq!(
        text(&became.down),
        "*2\r\n:1\r\n*1\r\n+x\r\n>1\r\n+invalidate\r\n-LOADING squall: this command was intercepted\r\n$1\r\n1\r\n"
    );
    assert_eq!(became.counts.intercepted, 1);
    let became = spoken(
        Protocol::Resp,
        true,
        &[Up(b"*1\r\n$4\r\nexec\r\n"), Down(b"+OK\r\n")],
        &ERROR,
        "EXEC",
    );
    assert_eq!(text(&became.up), "*1\r\n$7\r\nDISCARD\r\n");
    assert!(text(&became.down).starts_with("-ERR "));
}

#[test]
fn a_lost_resp_reply_is_the_one_to_the_command_that_fits() {
    let asked = [READ, SET].concat();
    let says = [Up(&asked), Down(b"$2\r\n+x\r\n+OK\r\n")];
    let became = spoken(Protocol::Resp, true, &says, &Act::DropReply, "SET");
    assert_eq!(
        (became.up, text(&became.down)),
        (asked.clone(), "$2\r\n+x\r\n".to_owned())
    );
    let became = spoken(Protocol::Resp, true, &says, &Act::HangUp, "SET");
    assert_eq!(
        (text(&became.down), became.ending),
        ("$2\r\n+x\r\n".to_owned(), Some(Ending::Reset))
    );
}

#[test]
fn a_resp_connection_that_turns_into_a_stream_is_left_alone_and_garbage_is_foreign() {
    let asked = [&b"*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n"[..], READ].concat();
    let became = spoken(Protocol::Resp, true, &[Up(&asked), Down(b"*3\r\n")], &ERROR, "GET");
    assert_eq!(
        (became.up, became.counts.intercepted, became.counts.foreign),
        (asked, 0, 0)
    );
    for garbage in [
        &b"*1\r\n+OK\r\n"[..],
        b"*x\r\n",
        b"*1\r\n$-1\r\n",
        b"\x16\x03\x01",
        b"PING\x00\r\n",
        b"$3\r\nGET\r\n",
    ] {
        let became = spoken(Protocol::Resp, true, &[Up(garbage)], &ERROR, "GET");
        assert_eq!(
            (became.up.as_slice(), became.counts.foreign),
            (garbage, 1),
            "{}",
            text(garbage)
        );
    }
}

// PostgreSQL.

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
