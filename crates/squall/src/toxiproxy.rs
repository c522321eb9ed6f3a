//! A server that clients of Toxiproxy use as they are: proxies by name, toxics on them, over HTTP.
//!
//! What Toxiproxy says and answers is kept, its quirks with it; what it can't do is added:
//! - Removing a toxic takes effect at once and never hangs, whatever is under way.
//! - More toxics: `corrupt`, `stall`, `half_open`, `black_hole`; a `latency` knows distributions.
//! - The seed decides: the same calls in the same order give the same jitter, losses and shares.
//! - Toxics in a configuration file are heeded.
//!
//! Listeners are on loopback where no address is named.
//!
//! | module | knows |
//! |---|---|
//! | `spec` | what clients say of a proxy, and how they are refused |
//! | `toxic` | what a toxic's attributes are, and what they mean for a link |
//! | `proxies` | what is there, and how it is changed |
//! | `api` | addresses, codes and bodies |

mod api;
mod proxies;
mod spec;
mod toxic;

use std::io;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::Mutex;

pub use proxies::Proxies;
pub use spec::Refused;

/// The version whose behaviour this is.
const VERSION: &str = "2.12.0";

/// Answers clients until it is dropped. `metrics` opens `/metrics`.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(listener: TcpListener, proxies: Proxies, metrics: bool) -> io::Result<()> {
    let proxies = Arc::new(Mutex::new(proxies));
    axum::serve(listener, api::routes(proxies, metrics)).await
}
