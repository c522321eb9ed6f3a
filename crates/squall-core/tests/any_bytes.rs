//! Whatever two ends say to each other, in whatever pieces: what the fuzz targets `http`, `resp` and `postgres` demand, of
//! bytes that are made of what these protocols say.

#[path = "../../../fuzz/fuzz_targets/spoken/dialogue.rs"]
mod dialogue;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use squall_core::protocol::Protocol;

/// Ends a turn.
const TURN: &[u8] = b"\xff";

const HTTP: &[&[u8]] = &[
    TURN,
    b"GET /a HTTP/1.1\r\n\r\n",
    b"HEAD / HTTP/1.1\r\n",
    b"POST /a HTTP/1.1\r\ncontent-length: 3\r\n",
    b"PUT / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 2\r\n",
    b"transfer-encoding: chunked\r\n",
    b"\r\n",
    b"3\r\nabc\r\n",
    b"0\r\n\r\n",
    b"abc",
    b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\n",
    b"\0",
];

const RESP: &[&[u8]] = &[
    TURN,
    b"*1\r\n$4\r\nPING\r\n",
    b"*2\r\n$3\r\nGET\r\n",
    b"$1\r\na\r\n",
    b"*1\r\n$4\r\nEXEC\r\n",
    b"*1\r\n$7\r\nMONITOR\r\n",
    b"PING\r\n",
    b"+OK\r\n",
    b":1\r\n",
    b"$-1\r\n",
    b"$2\r\n",
    b"*2\r\n",
    b"*0\r\n",
    b"%1\r\n",
    b"|1\r\n",
    b">1\r\n",
    b"-ERR no\r\n",
    b"\r\n",
];

const POSTGRES: &[&[u8]] = &[
    TURN,
    b"\0\0\0\x08\x04\xd2\x16\x2f",
    b"\0\0\0\x0e\0\x03\0\0user\0\0",
    b"Q\0\0\0\x0bcommit\0",
    b"Q\0\0\0\x0dselect 1\0",
    b"P\0\0\0\x10s\0commit\0\0\0",
    b"B\0\0\0\x0d\0s\0\0\0\0\0\0\0",
    b"E\0\0\0\x09\0\0\0\0\0",
    b"S\0\0\0\x04",
    b"C\0\0\0\x07Ss\0",
    b"N",
    b"1\0\0\0\x04",
    b"2\0\0\0\x04",
    b"C\0\0\0\x0bCOMMIT\0",
    b"E\0\0\0\x1aMsquall_intercepted\0\0\0",
    b"Z\0\0\0\x05I",
    b"D\0\0\0\x06ab",
];

fn said(of: &'static [&'static [u8]]) -> impl Strategy<Value = Vec<u8>> {
    (any::<[u8; 2]>(), vec(select(of), 0..24)).prop_map(|(how, parts)| [&how[..], &parts.concat()].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn http_in_any_pieces_comes_to_the_same(data in said(HTTP)) {
        dialogue::check(Protocol::Http, &data);
    }

    #[test]
    fn resp_in_any_pieces_comes_to_the_same(data in said(RESP)) {
        dialogue::check(Protocol::Resp, &data);
    }

    #[test]
    fn postgres_in_any_pieces_comes_to_the_same(data in said(POSTGRES)) {
        dialogue::check(Protocol::Postgres, &data);
    }

    #[test]
    fn bytes_of_no_protocol_pass(data in vec(any::<u8>(), 0..200)) {
        for protocol in [Protocol::Http, Protocol::Resp, Protocol::Postgres] {
            dialogue::check(protocol, &data);
        }
    }
}
