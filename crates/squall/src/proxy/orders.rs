//! How a rule reaches every connection, and how it is known to be in force everywhere.
//!
//! Whoever acts under an order holds it. A new order is in force once nobody holds an older one,
//! so no connection has to report back: letting go is the report.

use std::convert::Infallible;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::rule::Rule;
use super::stats::Cause;

/// A rule, together with the sign that somebody still acts under it.
pub(super) struct Order {
    rule: Rule,
    /// Nothing is ever sent; the channel closes when the last holder lets go.
    _held: mpsc::Sender<Infallible>,
}

impl Order {
    fn new(rule: Rule) -> (Arc<Self>, mpsc::Receiver<Infallible>) {
        let (_held, released) = mpsc::channel(1);
        (Arc::new(Self { rule, _held }), released)
    }
}

/// Where new connections learn of the current order.
pub(super) type Feed = watch::Receiver<Arc<Order>>;

/// Issues orders.
pub(super) struct Command {
    sender: watch::Sender<Arc<Order>>,
    /// Closes when nobody holds the latest order.
    latest: mpsc::Receiver<Infallible>,
    /// The same for older orders that may still be held.
    older: Vec<mpsc::Receiver<Infallible>>,
}

impl Command {
    pub(super) fn new(rule: Rule) -> Self {
        let (order, latest) = Order::new(rule);
        Self {
            sender: watch::Sender::new(order),
            latest,
            older: Vec::new(),
        }
    }

    pub(super) fn feed(&self) -> Feed {
        self.sender.subscribe()
    }

    /// Issues an order and returns when it is in force. If this is cancelled, the order stands
    /// and the next one waits for what was not waited for here.
    pub(super) async fn issue(&mut self, rule: Rule) {
        let (order, released) = Order::new(rule);
        self.older.push(std::mem::replace(&mut self.latest, released));
        self.sender.send_replace(order);
        while let Some(older) = self.older.last_mut() {
            older.recv().await;
            self.older.pop();
        }
    }
}

impl Drop for Command {
    fn drop(&mut self) {
        // Connections must not outlive their proxy under its last rule.
        self.sender.send_replace(Order::new(Rule::Refuse).0);
    }
}

/// One follower of orders, holding the order it acts under.
#[derive(Clone)]
pub(super) struct Orders {
    feed: Feed,
    held: Arc<Order>,
}

impl Orders {
    /// Starts under the current order.
    pub(super) fn follow(feed: &Feed) -> Self {
        let mut feed = feed.clone();
        let held = Arc::clone(&feed.borrow_and_update());
        Self { feed, held }
    }

    /// The rule to act under.
    pub(super) fn rule(&self) -> &Rule {
        &self.held.rule
    }

    /// Whether there is a newer order. Costs one atomic load.
    pub(super) fn outdated(&self) -> bool {
        self.feed.has_changed().unwrap_or(true)
    }

    /// Waits for a newer order.
    pub(super) async fn changed(&mut self) {
        // An error says that the command is gone, which leaves a last order behind.
        _ = self.feed.changed().await;
    }

    /// Takes up the newest order, and returns whether its rule is another one.
    ///
    /// # Errors
    /// When that order means to reset a connection, which may have `lost` bytes. The old order is
    /// still held then, until the reset has happened.
    pub(super) fn obey(&mut self, lost: bool) -> Result<bool, Cause> {
        let next = Arc::clone(&self.feed.borrow_and_update());
        if next.rule.ends_connections() || lost && next.rule != Rule::BlackHole {
            return Err(Cause::Condition);
        }
        let differs = next.rule != self.held.rule;
        self.held = next;
        Ok(differs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    #[tokio::test]
    async fn an_order_is_in_force_once_nobody_holds_an_older_one() {
        let mut command = Command::new(Rule::Flow(vec![]));
        let quick = Orders::follow(&command.feed());
        let slow = quick.clone();
        drop(quick);
        let blink = Duration::from_millis(20);
        assert!(timeout(blink, command.issue(Rule::BlackHole)).await.is_err());
        assert!(timeout(blink, command.issue(Rule::BlackHole)).await.is_err());
        drop(slow);
        timeout(Duration::from_secs(5), command.issue(Rule::Reset))
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn followers_are_sent_home_when_the_command_is_dropped() {
        let command = Command::new(Rule::BlackHole);
        let mut orders = Orders::follow(&command.feed());
        drop(command);
        orders.changed().await;
        assert!(orders.outdated());
        assert_eq!(orders.obey(false), Err(Cause::Condition));
    }
}
