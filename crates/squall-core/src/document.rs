//! stub
use crate::diagnostic::{Mistake, Mistakes};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
/// A YAML file parsed
#[derive(Debug, Clone)]
pub struct Document;
impl Document {
    /// parse
    pub fn parse(_name: &str, _text: &str) -> Result<Self, Mistakes> {
        unimplemented!()
    }
    /// expand
    pub fn expand(&self, _scope: &dyn crate::expr::Scope) -> Result<Self, Mistakes> {
        unimplemented!()
    }
    /// read
    pub fn read<T: DeserializeOwned + JsonSchema>(&self) -> Result<T, Mistakes> {
        unimplemented!()
    }
    /// m
    pub fn mistake(&self, _p: &str, _m: impl Into<String>, _h: Option<String>) -> Mistake {
        unimplemented!()
    }
    /// m
    pub fn key_mistake(&self, _p: &str, _m: impl Into<String>, _h: Option<String>) -> Mistake {
        unimplemented!()
    }
    /// m
    pub fn mistakes(&self, _l: Vec<Mistake>) -> Mistakes {
        unimplemented!()
    }
}
