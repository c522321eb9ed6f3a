//! RESP, as Redis 7 speaks it.

use super::*;

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
