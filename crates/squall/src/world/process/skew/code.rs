//! What is written over the clock functions of the vDSO: where they are in its ELF image, and x86-64 code in their place.

use std::io;

use squall_core::place::Skew;

use super::patch::own_image;

/// A stretch of the vDSO: where it begins, what the kernel has there, and what is written in its place.
#[derive(Debug)]
pub(super) struct Patch {
    pub(super) at: u64,
    pub(super) was: Vec<u8>,
    pub(super) is: Vec<u8>,
}

/// All that is written over one vDSO. Of one kernel every process of 64 bits has the same.
#[derive(Debug)]
pub(super) struct Patches(pub(super) Vec<Patch>);

/// The functions that tell the time of day. The first also tells other clocks, which it goes on to tell right.
const CLOCK_GETTIME: &str = "__vdso_clock_gettime";
const GETTIMEOFDAY: &str = "__vdso_gettimeofday";
const TIME: &str = "__vdso_time";

impl Patches {
    /// What is to be written for an offset.
    ///
    /// # Errors
    /// There is nothing it could be written over here.
    pub(super) fn new(skew: Skew) -> io::Result<Self> {
        if !cfg!(target_arch = "x86_64") {
            let why = format!("it is known how on x86_64 only, and this is {}", std::env::consts::ARCH);
            return Err(io::Error::other(why));
        }
        Self::of(&own_image()?, skew)
    }

    fn of(image: &[u8], skew: Skew) -> io::Result<Self> {
        let (seconds, nanos) = skew.parts();
        let seconds = i32::try_from(seconds).map_err(io::Error::other)?;
        let nanos = i32::try_from(nanos).map_err(io::Error::other)?;
        let find = |name: &str| {
            let missing = || io::Error::other(format!("the vDSO of this kernel has no {name}"));
            symbol(image, name).ok_or_else(missing)
        };
        let [clock, day, time_of] = [find(CLOCK_GETTIME)?, find(GETTIMEOFDAY)?, find(TIME)?];
        // The third function is too small for what it has to do, and leaves that to the end of the first.
        let (mut first, rest) = (clock_gettime(seconds, nanos), time(seconds, nanos));
        let away = clock.0 as i64 + first.len() as i64 - time_of.0 as i64;
        first.extend(rest);
        let all = [
            patch(image, clock, first),
            patch(image, day, gettimeofday(seconds, nanos)),
            patch(image, time_of, jump(i32::try_from(away).map_err(io::Error::other)?)),
        ];
        all.into_iter().collect::<io::Result<_>>().map(Self)
    }
}

/// Code in place of a function, which must have room for it.
fn patch(image: &[u8], (at, size): (usize, usize), is: Vec<u8>) -> io::Result<Patch> {
    let was = image.get(at..).and_then(|rest| rest.get(..is.len()));
    match was {
        Some(was) if is.len() <= size => Ok(Patch {
            at: at as u64,
            was: was.to_vec(),
            is,
        }),
        _ => {
            let why = format!("a function of its vDSO has {size} bytes, and {} are needed", is.len());
            Err(io::Error::other(why))
        }
    }
}

/// Code, piece by piece; short jumps to its end are filled in when it is there.
#[derive(Default)]
struct Code {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Code {
    fn put(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    fn number(&mut self, number: i32) -> &mut Self {
        self.put(&number.to_le_bytes())
    }

    /// `mov eax, number; syscall`
    fn call(&mut self, number: i32) -> &mut Self {
        self.put(&[0xB8]).number(number).put(&[0x0F, 0x05])
    }

    /// A conditional jump, by its opcode, to the end.
    fn end_if(&mut self, jump: u8) -> &mut Self {
        self.put(&[jump, 0]);
        self.ends.push(self.bytes.len());
        self
    }

    /// Adds seconds and a part of a second at `[base]` and `[base + 8]`, of which the part stays below `whole`.
    fn add(&mut self, base: Base, seconds: i32, part: i32, whole: i32) -> &mut Self {
        // add qword [base], seconds; add qword [base + 8], part; cmp qword [base + 8], whole; jl end
        let Base {
            first,
            add,
            cmp,
            sub,
            inc,
        } = base;
        self.put(&[0x48, 0x81, first]).number(seconds);
        self.put(&[0x48, 0x81, add, 8]).number(part);
        self.put(&[0x48, 0x81, cmp, 8]).number(whole).end_if(JL);
        // sub qword [base + 8], whole; inc qword [base]
        self.put(&[0x48, 0x81, sub, 8]).number(whole);
        self.put(&[0x48, 0xFF, inc])
    }

    /// `ret`, which is the end.
    fn done(&mut self) -> Vec<u8> {
        let end = self.bytes.len();
        for after in &self.ends {
            // Everything here is shorter than a short jump reaches.
            self.bytes[after - 1] = (end - after) as u8;
        }
        self.put(&[0xC3]);
        std::mem::take(&mut self.bytes)
    }
}

const JZ: u8 = 0x74;
const JNZ: u8 = 0x75;
const JNC: u8 = 0x73;
const JA: u8 = 0x77;
const JL: u8 = 0x7C;

/// The operand bytes of instructions on what a register points to.
#[derive(Clone, Copy)]
struct Base {
    first: u8,
    add: u8,
    cmp: u8,
    sub: u8,
    inc: u8,
}

const RSI: Base = Base {
    first: 0x06,
    add: 0x46,
    cmp: 0x7E,
    sub: 0x6E,
    inc: 0x06,
};
const RDI: Base = Base {
    first: 0x07,
    add: 0x47,
    cmp: 0x7F,
    sub: 0x6F,
    inc: 0x07,
};

/// The clocks that tell the time of day, one bit each: CLOCK_REALTIME, CLOCK_REALTIME_COARSE, CLOCK_TAI.
const TIMES_OF_DAY: i32 = 1 | 1 << 5 | 1 << 11;

/// `int clock_gettime(clockid_t edi, struct timespec *rsi)`
fn clock_gettime(seconds: i32, nanos: i32) -> Vec<u8> {
    let mut code = Code::default();
    // test eax, eax
    code.call(228).put(&[0x85, 0xC0]).end_if(JNZ);
    // cmp edi, 11; mov ecx, bits; bt ecx, edi
    code.put(&[0x83, 0xFF, 11]).end_if(JA);
    code.put(&[0xB9])
        .number(TIMES_OF_DAY)
        .put(&[0x0F, 0xA3, 0xF9])
        .end_if(JNC);
    code.add(RSI, seconds, nanos, 1_000_000_000).done()
}

/// `int gettimeofday(struct timeval *rdi, void *rsi)`, of which either may be null.
fn gettimeofday(seconds: i32, nanos: i32) -> Vec<u8> {
    let mut code = Code::default();
    // test eax, eax
    code.call(96).put(&[0x85, 0xC0]).end_if(JNZ);
    // test rdi, rdi
    code.put(&[0x48, 0x85, 0xFF]).end_if(JZ);
    code.add(RDI, seconds, nanos / 1000, 1_000_000).done()
}

/// `time_t time(time_t *rdi)`, which may be null: what the first function tells, without its parts of a second.
fn time(seconds: i32, nanos: i32) -> Vec<u8> {
    let mut code = Code::default();
    // mov r8, rdi; xor edi, edi; push rax; push rax; mov rsi, rsp
    code.put(&[0x49, 0x89, 0xF8, 0x31, 0xFF, 0x50, 0x50, 0x48, 0x89, 0xE6]);
    // pop rax; pop rcx; add rax, seconds; add rcx, nanos; cmp rcx, 1000000000
    code.call(228).put(&[0x58, 0x59, 0x48, 0x05]).number(seconds);
    code.put(&[0x48, 0x81, 0xC1]).number(nanos);
    code.put(&[0x48, 0x81, 0xF9]).number(1_000_000_000);
    // jl over the next; inc rax; test r8, r8; mov [r8], rax
    code.put(&[JL, 3, 0x48, 0xFF, 0xC0, 0x4D, 0x85, 0xC0])
        .end_if(JZ)
        .put(&[0x49, 0x89, 0x00])
        .done()
}

/// A jump to what is so far away from where it stands.
fn jump(away: i32) -> Vec<u8> {
    let mut code = Code::default();
    code.put(&[0xE9]).number(away.wrapping_sub(5));
    code.bytes
}

/// Where a function begins in an ELF image for x86-64, and how long it is.
fn symbol(image: &[u8], name: &str) -> Option<(usize, usize)> {
    const HEADER: &[u8] = b"\x7fELF\x02\x01";
    const X86_64: usize = 62;
    const DYNSYM: usize = 11;
    if !image.starts_with(HEADER) || number(image, 18, 2)? != X86_64 {
        return None;
    }
    let (sections, size, count) = (number(image, 40, 8)?, number(image, 58, 2)?, number(image, 60, 2)?);
    let section = |index: usize| sections.checked_add(index.checked_mul(size)?);
    let mut tables = (0..count).filter_map(section);
    let table = tables.find(|at| number(image, at + 4, 4) == Some(DYNSYM))?;
    let names = number(image, section(number(image, table + 40, 4)?)? + 24, 8)?;
    let (from, length) = (number(image, table + 24, 8)?, number(image, table + 32, 8)?);
    let symbols = image.get(from..from.checked_add(length)?)?;
    let found = symbols.chunks_exact(24).find(|symbol| {
        let own = number(symbol, 0, 4).and_then(|own| image.get(names.checked_add(own)?..));
        let rest = own.and_then(|own| own.strip_prefix(name.as_bytes()));
        rest.is_some_and(|rest| rest.first() == Some(&0))
    })?;
    Some((number(found, 8, 8)?, number(found, 16, 8)?))
}

/// A number of so many bytes, the lowest first.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    let number = bytes
        .iter()
        .rev()
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    usize::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(image: &[u8]) -> io::Result<Patches> {
        Patches::of(image, Skew { by: -1 })
    }

    #[test]
    fn what_is_written_fits_into_the_functions_it_replaces_and_they_do_not_overlap() {
        let image = own_image().unwrap();
        let mut all = of(&image).unwrap().0;
        all.sort_by_key(|patch| patch.at);
        assert_eq!(all.len(), 3);
        for patch in &all {
            assert_eq!(patch.was.len(), patch.is.len());
            assert_eq!(image[patch.at as usize..][..patch.was.len()], patch.was);
        }
        let apart = |pair: &[Patch]| pair[0].at + pair[0].is.len() as u64 <= pair[1].at;
        assert!(all.windows(2).all(apart));
    }

    #[test]
    fn an_image_that_is_none_is_refused_and_one_that_is_broken_does_no_harm() {
        let image = own_image().unwrap();
        for length in (0..image.len()).step_by(97) {
            _ = of(&image[..length]);
        }
        for at in 0..1024 {
            let mut broken = image.clone();
            broken[at] ^= 0xFF;
            _ = of(&broken);
        }
        let mut other = image;
        // Of 32 bits; then of another machine.
        for (at, byte) in [(4, 1), (18, 183)] {
            let was = std::mem::replace(&mut other[at], byte);
            let refused = of(&other).unwrap_err().to_string();
            assert!(refused.contains("has no __vdso_clock_gettime"), "{refused}");
            other[at] = was;
        }
        assert!(of(&other).is_ok() && of(b"").is_err());
    }

    /// `time` of the C library goes through the third function; Perl asks it.
    #[test]
    fn whole_seconds_are_those_of_the_clock_with_its_parts() {
        use super::super::patch::Process;
        use std::io::{BufRead, BufReader, Write};
        use std::process::{Command, Stdio};
        let mut perl = Command::new("perl");
        perl.args(["-e", "$| = 1; print time, qq{\\n} while <STDIN>"]);
        let Ok(mut perl) = perl.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() else {
            return eprintln!("there is no perl");
        };
        let (mut input, output) = (perl.stdin.take().unwrap(), perl.stdout.take().unwrap());
        let mut output = BufReader::new(output);
        let by = -7_300_000_000;
        let mut ask = || -> i64 {
            let mut line = String::new();
            input.write_all(b"\n").unwrap();
            output.read_line(&mut line).unwrap();
            line.trim().parse().unwrap()
        };
        ask();
        Process::replace(perl.id(), &Patches::new(Skew { by }).unwrap()).unwrap();
        for _ in 0..200 {
            let before = (super::super::ask::now() + by).div_euclid(1_000_000_000);
            let told = ask();
            let after = (super::super::ask::now() + by).div_euclid(1_000_000_000);
            assert!((before..=after).contains(&told), "{before} {told} {after}");
        }
        perl.kill().unwrap();
        perl.wait().unwrap();
    }
}
