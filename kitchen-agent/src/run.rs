//! The loop: moves bytes and time between the world and the core, and decides nothing.
//!
//! Owns the sequence of one turn: wait, hand every input to the core, carry out what it wants. Never reads a message.

use std::hash::{BuildHasher, RandomState};

use protocol::link::Refusal;
use tracing::info;

use crate::clock::Clock;
use crate::config::{BadConfig, Config};
use crate::cook::Commands;
use crate::core::{Agent, Effect, Input};
use crate::ending::{Ending, Endings};
use crate::health::Health;
use crate::link::Link;

/// Why the agent ended against its will.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// A setting that cannot be.
    #[error(transparent)]
    Config(#[from] BadConfig),
    /// No balancer will let it in without a change by a person.
    #[error("{}", shown(.0))]
    Refused(Refusal),
    /// The metrics port cannot be used.
    #[error("METRICS_PORT {port} of 127.0.0.1 cannot be used: {error}; choose another, or 0 for a free one")]
    Metrics {
        /// The port.
        port: u16,
        /// Why.
        error: std::io::Error,
    },
    /// Signals cannot be received.
    #[error("signals cannot be received: {0}")]
    Signals(std::io::Error),
}

/// A refusal may carry text from the other side.
pub(crate) fn shown(refusal: &Refusal) -> String {
    protocol::text::clean(&refusal.to_string(), 500)
}

impl AgentError {
    /// The exit code that says so: 2 for usage, 1 for everything else.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) => 2,
            Self::Refused(_) | Self::Metrics { .. } | Self::Signals(_) => 1,
        }
    }
}

/// Runs one kitchen until it is asked to end, by SIGTERM or ctrl-c, or must not go on.
///
/// # Errors
/// Says why it must not go on, and what would mend it.
pub async fn run(config: Config) -> Result<(), AgentError> {
    let clock = Clock::start();
    let session = RandomState::new().hash_one(std::process::id());
    let mut endings = Endings::watch(config.die_with_parent).map_err(AgentError::Signals)?;
    let metrics = |error| AgentError::Metrics { port: config.metrics_port.unwrap_or_default(), error };
    let mut health = Health::listen(config.metrics_port).await.map_err(metrics)?;
    let mut agent = Agent::new(config.agent(session));
    let mut commands = Commands::new(config.cook);
    let mut link = Link::open(config.balancers, session);
    info!("kitchen {} opens in {}", config.kitchen, config.zone);
    loop {
        let mut inputs = Vec::new();
        tokio::select! {
            heard = link.inputs() => inputs = heard,
            ended = commands.ended() => inputs.push(ended),
            () = clock.sleep_until(agent.next_deadline()) => inputs.push(Input::Wake),
            asked = health.asked() => asked.answer(&agent, link.reconnects()),
            ending = endings.next() => match ending {
                Ending::Asked => inputs.push(Input::Close),
                Ending::ParentGone => return Ok(()),
            },
        }
        let now = clock.now();
        for input in inputs {
            agent.handle(now, input);
        }
        let mut messages = Vec::new();
        let (mut closed, mut hang_up) = (false, false);
        let effects: Vec<Effect> = agent.drain_effects().collect();
        for effect in effects {
            match effect {
                Effect::Send(message) => messages.push(message),
                Effect::RunStage { lease, stage, cook, .. } => commands.run(lease, stage, &cook, agent.city()),
                Effect::KillStage { lease } => commands.kill(lease),
                Effect::HangUp => hang_up = true,
                Effect::Refused(refusal) => link.refused(now, refusal)?,
                Effect::Closed => closed = true,
            }
        }
        link.send(messages);
        if hang_up {
            link.hang_up();
        }
        if closed {
            link.close().await;
            return Ok(());
        }
    }
}
