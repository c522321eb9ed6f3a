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
        let away = i32::try_from(clock.0 as i64 - time_of.0 as i64).map_err(io::Error::other)?;
        let all = [
            patch(image, clock, clock_gettime(seconds, nanos)),
            patch(image, day, gettimeofday(seconds, nanos)),
            patch(image, time_of, time(away)),
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

/// `time_t time(time_t *rdi)`, which may be null: the seconds of the clock, which is `away` from here.
fn time(away: i32) -> Vec<u8> {
    let mut code = Code::default();
    // push rdi; sub rsp, 16; xor edi, edi; mov rsi, rsp
    code.put(&[0x57, 0x48, 0x83, 0xEC, 16, 0x31, 0xFF, 0x48, 0x89, 0xE6]);
    // call clock_gettime, from where the call ends
    let ends = code.bytes.len() as i32 + 5;
    code.put(&[0xE8]).number(away.wrapping_sub(ends));
    // mov rax, [rsp]; add rsp, 16; pop rdi; test rdi, rdi; mov [rdi], rax
    code.put(&[0x48, 0x8B, 0x04, 0x24, 0x48, 0x83, 0xC4, 16, 0x5F]);
    code.put(&[0x48, 0x85, 0xFF]).end_if(JZ).put(&[0x48, 0x89, 0x07]).done()
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
