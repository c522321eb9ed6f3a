//! stub
use std::time::Duration;
/// v
#[derive(Debug, Clone)]
pub enum Value {
    /// n
    Num(f64),
    /// d
    Dur(Duration),
}
/// l
pub enum Lookup {
    /// k
    Known(Value),
    /// d
    Deferred,
    /// u
    Unknown,
}
/// s
pub trait Scope {
    /// l
    fn lookup(&self, name: &str) -> Lookup;
    /// n
    fn names(&self) -> Vec<String>;
    /// p
    fn pace(&self) -> f64;
}
