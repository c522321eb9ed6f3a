use super::*;
use rand::SeedableRng;

const MS: Duration = Duration::from_millis(1);

fn stage(what: Impair, now: Instant) -> Stage {
    Stage::new(1, what, Xoshiro256PlusPlus::seed_from_u64(7), now)
}

fn piece(at: Instant, size: usize) -> Vec<Piece> {
    let (due, bytes) = (at, vec![0; size]);
    vec![Piece { at, due, bytes }]
}

#[test]
fn a_rate_spaces_bytes_to_the_nanosecond_and_carries_on() {
    let now = Instant::now();
    let counters = Counters::default();
    for rate in [1_000, 1_000_000, 100_000_000] {
        let mut stage = stage(Impair::Rate { bytes: rate }, now);
        let (mut last, mut sent) = (now, 0);
        while sent < 10 * rate.min(1_000_000) {
            let mut pieces = piece(now, 4096);
            stage.pass(&mut pieces, &counters);
            assert!(pieces.iter().all(|piece| piece.bytes.len() <= quantum(rate)));
            sent += 4096;
            last = pieces.last().unwrap().due;
        }
        let took = (last - now).as_secs_f64();
        let wanted = sent as f64 / rate as f64;
        assert!((took / wanted - 1.0).abs() < 0.001, "{rate}: {took} for {wanted}");
    }
}

#[test]
fn a_message_takes_its_time_on_a_narrow_link_and_none_worth_counting_on_a_wide_one() {
    let now = Instant::now();
    let counters = Counters::default();
    let mut narrow = stage(Impair::Rate { bytes: 100_000 }, now);
    let mut wide = stage(Impair::Rate { bytes: 4_000_000_000 }, now);
    for number in 1..100 {
        let at = now + number * 20 * MS;
        let mut pieces = piece(at, 500);
        narrow.pass(&mut pieces, &counters);
        assert_eq!((pieces[0].due - at, narrow.held), (5 * MS, 500), "{number}");
        wide.pass(&mut piece(at, 500), &counters);
        assert_eq!(wide.held, 0, "{number}");
    }
}

#[test]
fn an_idle_rate_saves_up_no_more_than_a_moment() {
    let now = Instant::now();
    let mut stage = stage(Impair::Rate { bytes: 1_000_000 }, now);
    let mut pieces = piece(now + Duration::from_secs(60), 1_000_000);
    stage.pass(&mut pieces, &Counters::default());
    let took = pieces.last().unwrap().due - (now + Duration::from_secs(60));
    assert!(took >= Duration::from_millis(990), "{took:?}");
}

#[test]
fn a_stall_holds_everything_behind_it_for_its_pause() {
    let now = Instant::now();
    let counters = Counters::default();
    let share = squall_core::place::Share::of(0.1);
    let mut stage = stage(Impair::Stall { share, pause: 200 * MS }, now);
    let mut dues = Vec::new();
    for number in 0..100 {
        let mut pieces = piece(now + number * MS, 100);
        stage.pass(&mut pieces, &counters);
        dues.push(pieces[0].due);
    }
    let stalls = counters.read().stalls;
    assert!((3..25).contains(&stalls), "{stalls}");
    assert!(dues.is_sorted());
    assert!(*dues.last().unwrap() >= now + 200 * MS * stalls as u32);
}

#[test]
fn larger_pieces_are_more_packets_to_lose() {
    let now = Instant::now();
    let counters = Counters::default();
    let share = squall_core::place::Share::of(0.05);
    let mut stage = stage(Impair::Stall { share, pause: MS }, now);
    for _ in 0..100 {
        stage.pass(&mut piece(now, 60 * PACKET), &counters);
    }
    // 1 - 0.95^60 is 95 %.
    assert!((85..=100).contains(&counters.read().stalls), "{:?}", counters.read());
}

#[test]
fn the_same_bytes_are_changed_however_they_are_cut_up() {
    let now = Instant::now();
    let share = squall_core::place::Share::of(0.01);
    let mut streams = Vec::new();
    for size in [1, 7, 1000, 20_000] {
        let counters = Counters::default();
        let mut stage = stage(Impair::Corrupt { share }, now);
        let mut stream = Vec::new();
        while stream.len() < 20_000 {
            let mut pieces = piece(now, size.min(20_000 - stream.len()));
            stage.pass(&mut pieces, &counters);
            stream.extend(pieces.remove(0).bytes);
        }
        let changed = stream.iter().filter(|byte| **byte != 0).count() as u64;
        assert_eq!(changed, counters.read().bytes_corrupted);
        assert!((120..280).contains(&changed), "{changed}");
        streams.push(stream);
    }
    assert!(streams.iter().all(|stream| *stream == streams[0]));
}

#[test]
fn slices_are_of_their_size_and_apart() {
    let now = Instant::now();
    let (bytes, vary, pause) = (100, 20, 3 * MS);
    let mut stage = stage(Impair::Slice { bytes, vary, pause }, now);
    let counters = Counters::default();
    let mut pieces = piece(now, 10_000);
    stage.pass(&mut pieces, &counters);
    let (last, all) = pieces.split_last().unwrap();
    assert!(all.iter().all(|piece| (80..=120).contains(&piece.bytes.len())));
    assert!(last.bytes.len() <= 120 && counters.read().slices == all.len() as u64);
    assert!(pieces.windows(2).all(|two| two[1].due - two[0].due == 3 * MS));
}

#[test]
fn exactly_so_many_bytes_pass_before_the_end() {
    let now = Instant::now();
    let counters = Counters::default();
    let mut stage = stage(Impair::Truncate { after: 150 }, now);
    let mut pieces = piece(now, 100);
    assert_eq!(stage.pass(&mut pieces, &counters), None);
    let mut pieces = piece(now, 100);
    assert_eq!(stage.pass(&mut pieces, &counters), Some(End::Close));
    assert_eq!(pieces[0].bytes.len(), 50);
    assert_eq!((counters.read().bytes_swallowed, counters.read().truncated), (50, 1));
}

#[test]
fn a_reset_counts_from_the_first_byte() {
    let now = Instant::now();
    let mut stage = stage(Impair::Reset { after: 5 * MS }, now);
    assert_eq!(stage.ends(), None);
    stage.pass(&mut piece(now + MS, 1), &Counters::default());
    stage.pass(&mut piece(now + 2 * MS, 1), &Counters::default());
    assert_eq!(stage.ends(), Some((now + 6 * MS, Verdict::Reset)));
}

#[test]
fn gaps_are_as_frequent_as_their_share() {
    let now = Instant::now();
    let (share, correlation) = (squall_core::place::Share::of(0.2), squall_core::place::Share::NONE);
    let mut stage = stage(Impair::Gaps { share, correlation }, now);
    let counters = Counters::default();
    for _ in 0..1000 {
        stage.pass(&mut piece(now, 1), &counters);
    }
    assert!(
        (140..260).contains(&counters.read().bytes_swallowed),
        "{:?}",
        counters.read()
    );
}
