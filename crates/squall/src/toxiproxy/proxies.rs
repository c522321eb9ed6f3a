//! The proxies there are, and how they are changed.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde_json::{Value, json};
use squall_core::place::{Cut, Share};
use tokio::net::lookup_host;
use tokio::task::JoinHandle;

use super::spec::{Refused, Spec, specs, text, truth};
use super::toxic::Toxic;
use crate::proxy::{Proxy, Stats, Wanted, What};

/// So often it is looked whether an upstream's name leads elsewhere.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// All proxies, by name.
pub struct Proxies {
    all: BTreeMap<String, Entry>,
    seed: u64,
}

struct Entry {
    /// Where it is said to listen. While nobody is let in the proxy may still be elsewhere.
    listen: String,
    upstream: String,
    enabled: bool,
    toxics: Vec<Toxic>,
    /// How many toxics there ever were.
    toxics_ever: u64,
    proxy: Arc<Proxy>,
    /// Follows the upstream's name.
    follower: Option<JoinHandle<()>>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(follower) = &self.follower {
            follower.abort();
        }
    }
}

impl Proxies {
    /// None. Chance is drawn from `seed`.
    pub fn new(seed: u64) -> Self {
        let all = BTreeMap::new();
        Self { all, seed }
    }

    /// As clients see them.
    pub(super) fn json(&self) -> Value {
        let all = self.all.iter().map(|(name, entry)| (name.clone(), entry.json(name)));
        Value::Object(all.collect())
    }

    pub(super) fn show(&self, name: &str) -> Result<Value, Refused> {
        Ok(self.all.get(name).ok_or(Refused::NO_PROXY)?.json(name))
    }

    /// What went through each: name, listener, upstream, counts.
    pub(super) fn stats(&self) -> impl Iterator<Item = (&str, &str, &str, Stats)> {
        self.all.iter().map(|(name, entry)| {
            let (listen, upstream) = (entry.listen.as_str(), entry.upstream.as_str());
            (name.as_str(), listen, upstream, entry.proxy.stats())
        })
    }

    pub(super) async fn create(&mut self, body: &Value) -> Result<Value, Refused> {
        let spec = Spec::read(body)?;
        if self.all.contains_key(&spec.name) {
            return Err(Refused::PROXY_THERE);
        }
        let name = spec.name.clone();
        self.add(Spec {
            toxics: Vec::new(),
            ..spec
        })
        .await?;
        self.show(&name)
    }

    async fn add(&mut self, spec: Spec) -> Result<(), Refused> {
        let mut entry = Entry::open(&spec, self.seed).await?;
        for toxic in &spec.toxics {
            entry.add_toxic(toxic)?;
        }
        entry.apply().await?;
        self.all.insert(spec.name, entry);
        Ok(())
    }

    /// Makes sure that these proxies are there. One that is already, with the same addresses, is left alone;
    /// otherwise it is replaced. Answers those that came about, and what stopped it if anything did.
    ///
    /// # Errors
    /// Never in itself: what stopped it stands beside the proxies.
    pub async fn populate(&mut self, body: &Value) -> (Vec<Value>, Option<Refused>) {
        let mut done = Vec::new();
        let specs = match specs(body) {
            Ok(specs) => specs,
            Err(refused) => return (done, Some(refused)),
        };
        for spec in specs {
            let name = spec.name.clone();
            let listen = resolved(&spec.listen).await.map(|addr| addr.to_string());
            let listen = listen.unwrap_or_else(|_| spec.listen.clone());
            let same = self.all.get(&name);
            let same = same.is_some_and(|entry| entry.listen == listen && entry.upstream == spec.upstream);
            if !same {
                if let Some(old) = self.all.remove(&name) {
                    old.close().await;
                }
                if let Err(refused) = self.add(spec).await {
                    return (done, Some(refused));
                }
            }
            done.extend(self.show(&name));
        }
        (done, None)
    }

    pub(super) async fn update(&mut self, name: &str, body: &Value) -> Result<Value, Refused> {
        let body = body
            .as_object()
            .ok_or_else(|| Refused::body("an object was expected"))?;
        let seed = self.seed;
        let entry = self.all.get_mut(name).ok_or(Refused::NO_PROXY)?;
        let listen = text(body, "listen")?.unwrap_or_else(|| entry.listen.clone());
        let upstream = text(body, "upstream")?.unwrap_or_else(|| entry.upstream.clone());
        let enabled = truth(body, "enabled")?.unwrap_or(entry.enabled);
        let moved = resolved(&listen).await?.to_string() != entry.listen;
        if moved || upstream != entry.upstream {
            // As Toxiproxy does it: stopped first, and when it can't start again it stays so, with what was wanted.
            entry.enable(false, seed).await?;
            entry.listen = listen;
            entry.lead(&upstream).await;
        }
        entry.enable(enabled, seed).await?;
        Ok(entry.json(name))
    }

    pub(super) async fn remove(&mut self, name: &str) -> Result<(), Refused> {
        self.all.remove(name).ok_or(Refused::NO_PROXY)?.close().await;
        Ok(())
    }

    /// Enables all, and removes every toxic.
    pub(super) async fn reset(&mut self) -> Result<(), Refused> {
        let seed = self.seed;
        for entry in self.all.values_mut() {
            entry.toxics.clear();
            entry.enable(true, seed).await?;
        }
        Ok(())
    }

    pub(super) fn toxics(&self, name: &str) -> Result<Value, Refused> {
        Ok(self.all.get(name).ok_or(Refused::NO_PROXY)?.toxics_json())
    }

    pub(super) fn toxic(&self, name: &str, toxic: &str) -> Result<Value, Refused> {
        let entry = self.all.get(name).ok_or(Refused::NO_PROXY)?;
        let toxic = entry.toxics.iter().find(|one| one.name == toxic);
        Ok(toxic.ok_or(Refused::NO_TOXIC)?.json())
    }

    pub(super) async fn add_toxic(&mut self, name: &str, body: &Value) -> Result<Value, Refused> {
        let entry = self.all.get_mut(name).ok_or(Refused::NO_PROXY)?;
        let shown = entry.add_toxic(body)?;
        entry.apply().await?;
        Ok(shown)
    }

    pub(super) async fn update_toxic(&mut self, name: &str, toxic: &str, body: &Value) -> Result<Value, Refused> {
        let entry = self.all.get_mut(name).ok_or(Refused::NO_PROXY)?;
        let toxic = entry
            .toxics
            .iter_mut()
            .find(|one| one.name == toxic)
            .ok_or(Refused::NO_TOXIC)?;
        toxic.update(body)?;
        let shown = toxic.json();
        entry.apply().await?;
        Ok(shown)
    }

    pub(super) async fn remove_toxic(&mut self, name: &str, toxic: &str) -> Result<(), Refused> {
        let entry = self.all.get_mut(name).ok_or(Refused::NO_PROXY)?;
        let index = entry
            .toxics
            .iter()
            .position(|one| one.name == toxic)
            .ok_or(Refused::NO_TOXIC)?;
        entry.toxics.remove(index);
        entry.apply().await
    }
}

impl Entry {
    async fn open(spec: &Spec, seed: u64) -> Result<Self, Refused> {
        let addr = resolved(&spec.listen).await?;
        let why = |error: io::Error| io::Error::new(error.kind(), format!("listen {addr}: {error}"));
        let proxy = Proxy::reserve(addr, Vec::new(), seed).map_err(why)?;
        let mut entry = Self {
            listen: proxy.addr().to_string(),
            upstream: String::new(),
            enabled: spec.enabled,
            toxics: Vec::new(),
            toxics_ever: 0,
            proxy: Arc::new(proxy),
            follower: None,
        };
        entry.lead(&spec.upstream).await;
        Ok(entry)
    }

    /// Leads new connections to another upstream. A name is looked up now and from time to time.
    async fn lead(&mut self, upstream: &str) {
        upstream.clone_into(&mut self.upstream);
        if let Some(follower) = self.follower.take() {
            follower.abort();
        }
        let found: Vec<SocketAddr> = lookup_host(upstream).await.map(Iterator::collect).unwrap_or_default();
        self.proxy.lead_to(found.clone());
        if upstream.parse::<SocketAddr>().is_err() {
            self.follower = Some(tokio::spawn(follow(
                upstream.to_owned(),
                found,
                Arc::downgrade(&self.proxy),
            )));
        }
    }

    fn add_toxic(&mut self, body: &Value) -> Result<Value, Refused> {
        let toxic = Toxic::read(body, self.toxics_ever)?;
        if self.toxics.iter().any(|one| one.name == toxic.name) {
            return Err(Refused::TOXIC_THERE);
        }
        let shown = toxic.json();
        self.toxics_ever += 1;
        self.toxics.push(toxic);
        Ok(shown)
    }

    /// Lets clients in where it is said to listen, or nobody. Where they can't be let in it is off, and shows it.
    async fn enable(&mut self, enabled: bool, seed: u64) -> Result<(), Refused> {
        self.enabled = false;
        if enabled && self.listen != self.proxy.addr().to_string() {
            self.move_over(seed).await?;
        }
        self.enabled = enabled;
        let applied = self.apply().await;
        self.enabled &= applied.is_ok();
        applied
    }

    /// Leaves its address for the one it is said to listen on.
    async fn move_over(&mut self, seed: u64) -> Result<(), Refused> {
        let spec = Spec {
            name: String::new(),
            listen: self.listen.clone(),
            upstream: self.upstream.clone(),
            enabled: false,
            toxics: Vec::new(),
        };
        let next = Self::open(&spec, seed).await?;
        let toxics = std::mem::take(&mut self.toxics);
        let ever = self.toxics_ever;
        *self = next;
        (self.toxics, self.toxics_ever) = (toxics, ever);
        Ok(())
    }

    /// Makes what is there hold.
    async fn apply(&self) -> Result<(), Refused> {
        if !self.enabled {
            return self.silence().await;
        }
        let wanted: Vec<Wanted> = self.toxics.iter().filter_map(Toxic::wanted).collect();
        Ok(self.proxy.arrange(&wanted).await?)
    }

    /// Lets nobody in and drops every connection.
    async fn silence(&self) -> Result<(), Refused> {
        let what = What::Cut(Cut::Refuse, Share::ALL);
        Ok(self.proxy.arrange(&[Wanted { key: u64::MAX, what }]).await?)
    }

    /// Drops every connection at once; the port is free when the last one who follows the name has let go.
    async fn close(self) {
        _ = self.silence().await;
    }

    fn json(&self, name: &str) -> Value {
        json!({
            "name": name,
            "listen": self.listen,
            "upstream": self.upstream,
            "enabled": self.enabled,
            "toxics": self.toxics_json(),
        })
    }

    /// Those upstream first, then those downstream, each in the order they were added.
    fn toxics_json(&self) -> Value {
        let way = |upstream| self.toxics.iter().filter(move |toxic| toxic.upstream == upstream);
        way(true).chain(way(false)).map(Toxic::json).collect()
    }
}

async fn follow(upstream: String, mut known: Vec<SocketAddr>, proxy: Weak<Proxy>) {
    loop {
        tokio::time::sleep(LOOK_AGAIN).await;
        let Some(proxy) = proxy.upgrade() else { return };
        let found: Vec<SocketAddr> = lookup_host(&upstream).await.map(Iterator::collect).unwrap_or_default();
        if !found.is_empty() && found != known {
            known.clone_from(&found);
            proxy.lead_to(found);
        }
    }
}

/// The address to listen on: loopback where none is named, any port where that is not.
async fn resolved(listen: &str) -> io::Result<SocketAddr> {
    let (host, port) = listen.rsplit_once(':').unwrap_or((listen, "0"));
    if host.is_empty() {
        let port = port
            .parse()
            .map_err(|_| io::Error::other(format!("listen {listen}: unknown port")))?;
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    let mut found: Vec<SocketAddr> = lookup_host(format!("{host}:{port}")).await?.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    found
        .first()
        .copied()
        .ok_or_else(|| io::Error::other(format!("listen {listen}: no such host")))
}
