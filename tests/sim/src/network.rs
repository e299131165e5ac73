//! Connections between agents and the balancer: in sequence inside one connection, delayed, held up, cut, reset.
//!
//! A frame that meets a cut or a process that stands still waits, as TCP would have it sent again; when the way is free it
//! goes on in its place. What was on its way when a connection is reset is lost.

use std::collections::VecDeque;

use protocol::link::{self, AgentMessage, BalancerMessage};

use crate::queue::{MS, SECOND, Time, What};
use crate::world::World;

/// An agent that says nothing for this long is cut off by the balancer's shell.
const SILENCE_MAX: Time = 10 * SECOND;

/// What travels.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the variants say it")]
pub enum Frame {
    Bytes(Vec<u8>),
    Agent(Vec<AgentMessage>),
    Balancer(Vec<BalancerMessage>),
    /// The other end is gone.
    End,
}

/// One direction.
#[derive(Debug, Default)]
struct Pipe {
    frames: VecDeque<Frame>,
    /// Arrivals that are in the queue of events.
    scheduled: usize,
    last: Time,
}

/// One connection; its number is its place in the world's list, so it is never used again.
#[derive(Debug)]
pub struct Conn {
    /// Whose.
    pub kitchen: usize,
    /// Of which life of the balancer.
    pub balancer: u64,
    /// The agent has it open.
    pub agent_end: bool,
    /// The balancer has it open.
    pub balancer_end: bool,
    /// When a heartbeat was answered last, for the agent's shell.
    pub answered: Time,
    /// The agent was let in.
    pub welcomed: bool,
    /// The agent was refused because its id is in use.
    pub in_use: bool,
    /// When the balancer last got anything.
    pub last_frame: Time,
    up: Pipe,
    down: Pipe,
}

impl World {
    /// Opens a connection between this agent and the balancer as they are now.
    pub fn open_connection(&mut self, kitchen: usize) -> usize {
        let conn = self.conns.len();
        self.conns.push(Conn {
            kitchen,
            balancer: self.balancer.process,
            agent_end: true,
            balancer_end: true,
            answered: self.now,
            welcomed: false,
            in_use: false,
            last_frame: self.now,
            up: Pipe::default(),
            down: Pipe::default(),
        });
        self.queue.at(self.now + SILENCE_MAX, What::BalancerSilence { conn });
        conn
    }

    /// Sends from the agent.
    pub fn send_up(&mut self, conn: usize, messages: Vec<AgentMessage>) {
        if !self.params.wire {
            return self.push(conn, true, Frame::Agent(messages));
        }
        for frame in link::frames(&messages) {
            self.push(conn, true, Frame::Bytes(frame));
        }
    }

    /// Sends from the balancer.
    pub fn send_down(&mut self, conn: usize, messages: Vec<BalancerMessage>) {
        if !self.conns[conn].balancer_end {
            return;
        }
        if !self.params.wire {
            return self.push(conn, false, Frame::Balancer(messages));
        }
        for frame in link::frames(&messages) {
            self.push(conn, false, Frame::Bytes(frame));
        }
    }

    /// Tells one end that the other is gone, behind all that is on its way.
    pub fn push_end(&mut self, conn: usize, up: bool) {
        self.push(conn, up, Frame::End);
    }

    /// Loses what is on its way in one direction.
    pub fn lose_frames(&mut self, conn: usize, up: bool) {
        self.pipe(conn, up).frames.clear();
    }

    fn pipe(&mut self, conn: usize, up: bool) -> &mut Pipe {
        let conn = &mut self.conns[conn];
        if up { &mut conn.up } else { &mut conn.down }
    }

    fn push(&mut self, conn: usize, up: bool, frame: Frame) {
        self.pipe(conn, up).frames.push_back(frame);
        self.schedule_arrival(conn, up);
    }

    fn schedule_arrival(&mut self, conn: usize, up: bool) {
        let (low, high) = self.params.delay;
        let slow = self.kitchens[self.conns[conn].kitchen].slow;
        let delay = self.net.between(low, high) + if slow > 0 { self.net.between(0, slow) } else { 0 };
        let now = self.now;
        let pipe = self.pipe(conn, up);
        let at = (now + delay).max(pipe.last + 1);
        pipe.last = at;
        pipe.scheduled += 1;
        self.queue.at(at, What::Arrive { conn, up });
    }

    /// Something that was in the way may be gone: what waits goes on.
    pub fn unblock(&mut self, kitchen: Option<usize>) {
        for conn in 0..self.conns.len() {
            let one = &self.conns[conn];
            if kitchen.is_some_and(|kitchen| kitchen != one.kitchen) || !(one.agent_end || one.balancer_end) {
                continue;
            }
            for up in [true, false] {
                let pipe = self.pipe(conn, up);
                let missing = pipe.frames.len().saturating_sub(pipe.scheduled);
                (0..missing).for_each(|_| self.schedule_arrival(conn, up));
            }
        }
    }

    fn is_blocked(&self, conn: usize, up: bool) -> bool {
        let one = &self.conns[conn];
        let kitchen = &self.kitchens[one.kitchen];
        if up {
            kitchen.cut_up || (one.balancer_end && self.balancer.paused)
        } else {
            kitchen.cut_down || (one.agent_end && kitchen.paused)
        }
    }

    /// A frame would arrive now.
    pub fn arrive(&mut self, conn: usize, up: bool) {
        self.pipe(conn, up).scheduled -= 1;
        if self.is_blocked(conn, up) {
            return;
        }
        let Some(frame) = self.pipe(conn, up).frames.pop_front() else { return };
        if up { self.arrive_at_balancer(conn, frame) } else { self.arrive_at_agent(conn, frame) }
    }

    fn arrive_at_balancer(&mut self, conn: usize, frame: Frame) {
        if !self.conns[conn].balancer_end {
            // Nobody is there any more: the agent's end is reset.
            if self.conns[conn].agent_end && !matches!(frame, Frame::End) {
                self.push_end(conn, false);
            }
            return;
        }
        self.conns[conn].last_frame = self.now;
        match frame {
            Frame::Agent(messages) => self.balancer_hears(conn, messages),
            Frame::Bytes(bytes) => match link::decode(&bytes) {
                Ok(messages) => self.balancer_hears(conn, messages),
                Err(error) => self.checker.violate(self.now, "wire", format!("an agent's frame: {error}")),
            },
            Frame::End => self.balancer_loses(conn),
            Frame::Balancer(_) => {}
        }
    }

    fn arrive_at_agent(&mut self, conn: usize, frame: Frame) {
        if !self.conns[conn].agent_end {
            return;
        }
        match frame {
            Frame::Balancer(messages) => self.agent_hears(conn, messages),
            Frame::Bytes(bytes) => match link::decode(&bytes) {
                Ok(messages) => self.agent_hears(conn, messages),
                Err(error) => self.checker.violate(self.now, "wire", format!("a balancer's frame: {error}")),
            },
            Frame::End => self.agent_loses(conn),
            Frame::Agent(_) => {}
        }
    }

    /// The balancer's shell looks whether the connection says anything.
    pub fn balancer_silence(&mut self, conn: usize) {
        let one = &self.conns[conn];
        if !one.balancer_end || one.balancer != self.balancer.process {
            return;
        }
        let over = one.last_frame + SILENCE_MAX;
        if over > self.now || self.balancer.paused {
            return self.queue.at(over.max(self.now + 100 * MS), What::BalancerSilence { conn });
        }
        self.push_end(conn, false);
        self.balancer_loses(conn);
    }

    /// Both ends are reset, and what is on its way is lost.
    pub fn reset(&mut self, conn: usize) {
        for up in [true, false] {
            self.lose_frames(conn, up);
            self.push_end(conn, up);
        }
    }
}
