//! What can be asked of a balancer: one typed call a route.
//!
//! Owns the paths and which calls may be repeated; who is asked, and how often, is in `http`.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use protocol::api::{self, PREFIX};
use protocol::shared::Secret;
use protocol::{KitchenId, OrderId, Position};
use reqwest::Method;
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::http::{self, Call, escape};
use super::{Client, ClientError, OrderFilter, Placed};

impl Client {
    /// `POST /orders`. Without a key one is made, so that the request can be repeated.
    ///
    /// # Errors
    /// Refused, or nobody answered: then ask again with the same key to learn whether it was accepted.
    pub async fn place(&self, order: &api::PlaceOrder, key: Option<&str>) -> Result<Placed, ClientError> {
        let key = key.or(order.key.as_deref()).map_or_else(fresh_key, str::to_owned);
        let order = api::PlaceOrder { key: None, ..order.clone() };
        let path = format!("{PREFIX}/orders");
        let call = Call {
            method: Method::POST,
            path: &path,
            body: Some(json(&order)),
            key: Some(&key),
            repeatable: true,
            proof: None,
        };
        let reply = self.send(call).await?;
        Ok(Placed { receipt: http::parse("POST /orders", &reply.body)?, replayed: reply.replayed })
    }

    /// `POST /orders/batch`. Orders without a key get one.
    ///
    /// # Errors
    /// The batch as a whole was refused, or nobody answered.
    pub async fn place_batch(&self, mut orders: Vec<api::PlaceOrder>) -> Result<api::BatchResults, ClientError> {
        for order in &mut orders {
            order.key.get_or_insert_with(fresh_key);
        }
        let path = format!("{PREFIX}/orders/batch");
        let body = Some(json(&api::PlaceBatch { orders }));
        self.json(Call { method: Method::POST, path: &path, body, key: None, repeatable: true, proof: None }).await
    }

    /// `GET /orders/{id}`.
    ///
    /// # Errors
    /// Unknown, or nobody answered. The same holds for every reading request below.
    pub async fn order(&self, id: OrderId) -> Result<api::OrderView, ClientError> {
        self.get(&format!("/orders/{id}")).await
    }

    /// `GET /orders`, newest first.
    ///
    /// # Errors
    /// As [`Client::order`].
    pub async fn orders(&self, filter: &OrderFilter) -> Result<api::OrderPage, ClientError> {
        self.get(&filter.path()).await
    }

    /// `GET /orders/{id}/history`.
    ///
    /// # Errors
    /// As [`Client::order`].
    pub async fn history(&self, id: OrderId) -> Result<api::History, ClientError> {
        self.get(&format!("/orders/{id}/history")).await
    }

    /// `GET /orders/{id}/explain`.
    ///
    /// # Errors
    /// As [`Client::order`].
    pub async fn explain(&self, id: OrderId) -> Result<api::ExplainView, ClientError> {
        self.get(&format!("/orders/{id}/explain")).await
    }

    /// `DELETE /orders/{id}`.
    ///
    /// # Errors
    /// It cannot be cancelled any more, or nobody answered.
    pub async fn cancel(&self, id: OrderId) -> Result<(), ClientError> {
        self.act(Method::DELETE, &format!("/orders/{id}"), None).await
    }

    /// `POST /orders/{id}/release`: out of quarantine.
    ///
    /// # Errors
    /// It is not in quarantine, or nobody answered.
    pub async fn release(&self, id: OrderId) -> Result<(), ClientError> {
        self.act(Method::POST, &format!("/orders/{id}/release"), None).await
    }

    /// `POST /orders/{id}/migrate`.
    ///
    /// # Errors
    /// It cannot be moved, with the reason, or nobody answered.
    pub async fn migrate(&self, id: OrderId, to: KitchenId) -> Result<(), ClientError> {
        self.act(Method::POST, &format!("/orders/{id}/migrate"), Some(json(&api::MigrateTo { to }))).await
    }

    /// `GET /kitchens`.
    ///
    /// # Errors
    /// As [`Client::order`].
    pub async fn kitchens(&self) -> Result<api::Kitchens, ClientError> {
        self.get("/kitchens").await
    }

    /// `GET /kitchens/{id}`.
    ///
    /// # Errors
    /// As [`Client::order`].
    pub async fn kitchen(&self, id: &KitchenId) -> Result<api::KitchenView, ClientError> {
        self.get(&kitchen_path(id, "")).await
    }

    /// `POST /kitchens/{id}/cordon`.
    ///
    /// # Errors
    /// Unknown, or nobody answered.
    pub async fn cordon(&self, id: &KitchenId) -> Result<(), ClientError> {
        self.act(Method::POST, &kitchen_path(id, "/cordon"), None).await
    }

    /// `POST /kitchens/{id}/uncordon`.
    ///
    /// # Errors
    /// Unknown, or nobody answered.
    pub async fn uncordon(&self, id: &KitchenId) -> Result<(), ClientError> {
        self.act(Method::POST, &kitchen_path(id, "/uncordon"), None).await
    }

    /// `POST /kitchens/{id}/drain`.
    ///
    /// # Errors
    /// The rest has no room, with the numbers, or nobody answered.
    pub async fn drain(&self, id: &KitchenId, how: &api::Drain) -> Result<(), ClientError> {
        self.act(Method::POST, &kitchen_path(id, "/drain"), Some(json(how))).await
    }

    /// `POST /kitchens/{id}/gone`: its process has ended, as somebody says who shares its data directory. Once or
    /// twice is the same.
    ///
    /// # Errors
    /// Another process cooks there already, or nobody answered.
    pub async fn gone(&self, id: &KitchenId, pid: u32, secret: &Secret) -> Result<(), ClientError> {
        let path = format!("{PREFIX}{}", kitchen_path(id, "/gone"));
        let body = json(&api::Gone { pid });
        let proof = Some(secret.proof("POST", &path, &body));
        let call = Call { method: Method::POST, path: &path, body: Some(body), key: None, repeatable: true, proof };
        self.send(call).await.map(drop)
    }

    /// `GET /policy`.
    ///
    /// # Errors
    /// As [`Client::order`].
    pub async fn policy(&self) -> Result<api::PolicyView, ClientError> {
        self.get("/policy").await
    }

    /// `PUT /policy`: what is named changes.
    ///
    /// # Errors
    /// A value is out of range, or nobody answered.
    pub async fn set_policy(&self, change: &api::PolicyChange) -> Result<(), ClientError> {
        let path = format!("{PREFIX}/policy");
        let call = Call {
            method: Method::PUT,
            path: &path,
            body: Some(json(change)),
            key: None,
            repeatable: false,
            proof: None,
        };
        self.json::<IgnoredAny>(call).await.map(drop)
    }

    /// `GET /migrations`, newest first.
    ///
    /// # Errors
    /// As [`Client::order`].
    pub async fn migrations(&self) -> Result<api::Migrations, ClientError> {
        self.get("/migrations").await
    }

    /// `GET /actions`: what operators did before a position, newest first; from the newest on if there is none.
    ///
    /// # Errors
    /// As [`Client::order`].
    pub async fn actions(&self, limit: u32, before: Option<Position>) -> Result<api::ActionPage, ClientError> {
        let before = before.map_or_else(String::new, |position| format!("&before={position}"));
        self.get(&format!("/actions?limit={limit}{before}")).await
    }

    /// `POST /rush`.
    ///
    /// # Errors
    /// A value is out of range, or nobody answered.
    pub async fn start_rush(&self, rush: &api::StartRush) -> Result<(), ClientError> {
        self.act(Method::POST, "/rush", Some(json(rush))).await
    }

    /// `GET /rush`; none if there is none.
    ///
    /// # Errors
    /// As [`Client::order`].
    pub async fn rush(&self) -> Result<Option<api::RushView>, ClientError> {
        self.get("/rush").await
    }

    /// `DELETE /rush`.
    ///
    /// # Errors
    /// Nobody answered.
    pub async fn stop_rush(&self) -> Result<(), ClientError> {
        self.act(Method::DELETE, "/rush", None).await
    }

    /// `GET /proof`.
    ///
    /// # Errors
    /// As [`Client::order`].
    pub async fn proof(&self) -> Result<api::Proof, ClientError> {
        self.get("/proof").await
    }

    /// `GET /status`.
    ///
    /// # Errors
    /// As [`Client::order`].
    pub async fn status(&self) -> Result<api::Status, ClientError> {
        let status: api::Status = self.get("/status").await?;
        self.learn(std::iter::once(&status.leader).chain(&status.standbys));
        Ok(status)
    }

    /// `GET /healthz`.
    ///
    /// # Errors
    /// It does not answer 200, or nobody answered.
    pub async fn healthz(&self) -> Result<(), ClientError> {
        let call = Call { method: Method::GET, path: "/healthz", body: None, key: None, repeatable: true, proof: None };
        self.send(call).await.map(drop)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let path = format!("{PREFIX}{path}");
        self.json(Call { method: Method::GET, path: &path, body: None, key: None, repeatable: true, proof: None }).await
    }

    /// A request that is not repeated once it was sent: doing it twice may not be the same as once.
    async fn act(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Result<(), ClientError> {
        let path = format!("{PREFIX}{path}");
        self.send(Call { method, path: &path, body, key: None, repeatable: false, proof: None }).await.map(drop)
    }
}

fn kitchen_path(id: &KitchenId, rest: &str) -> String {
    format!("/kitchens/{}{rest}", escape(id.as_str()))
}

fn json(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("bodies are plain data")
}

/// A key that nobody else will draw: 128 bits hashed under keys that the operating system drew.
#[must_use]
pub fn fresh_key() -> String {
    let draw = || RandomState::new().hash_one(());
    format!("chef-{:016x}{:016x}", draw(), draw())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_and_fit() {
        let (one, other) = (fresh_key(), fresh_key());
        assert_ne!(one, other);
        assert!(one.len() <= protocol::order::KEY_MAX);
    }
}
