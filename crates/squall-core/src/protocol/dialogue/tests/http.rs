//! HTTP, as hyper and nginx speak it: several requests in one go, one with a body in chunks.

use super::*;

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

#[test]
fn what_was_held_when_a_connection_turned_into_something_else_is_passed_on_before_the_rest() {
    let switched = b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x02hi";
    let mut dialogue = Dialogue::new(Protocol::Http, true);
    let mut up = Vec::new();
    for says in [&[GET, b"PO"].concat()[..], b"ST"] {
        let passed = dialogue.ask(says, &mut |_| None);
        up.extend(passed.into_iter().flat_map(|passed| passed.bytes));
        if says != b"ST" {
            assert_eq!(dialogue.hear(switched), switched);
        }
    }
    assert_eq!((up, dialogue.counts().foreign), ([GET, b"POST"].concat(), 0));
}
