//! The table of what can be asked: one row a method and path. The router, the gate for new orders, the checks of a head and
//! a standby read the same row.
//!
//! Owns how a path is compared: byte for byte. No second slash, no slash at the end, no dots, no percent signs and no
//! capital letters lead to a row: what is not written as it stands here is not there.

use hyper::Method;
use protocol::api::PREFIX;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    PlaceOrder,
    PlaceBatch,
    ListOrders,
    ShowOrder,
    CancelOrder,
    History,
    Explain,
    Release,
    Migrate,
    ListKitchens,
    ShowKitchen,
    Cordon,
    Uncordon,
    Drain,
    Gone,
    Actions,
    Policy,
    SetPolicy,
    Migrations,
    Rush,
    StartRush,
    StopRush,
    Proof,
    Status,
    Standby,
    Feed,
    Link,
    Healthz,
    Readyz,
    Metrics,
}

/// What a request may bring beside its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Nothing: a body would be left out.
    Nothing,
    /// No field: an empty body, or `{}`.
    NoField,
    /// A JSON body.
    Body,
    /// A query that its handler reads.
    Query,
    /// Whatever comes: a probe never fails for what it does not look at.
    Anything,
}

/// One row.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) verb: Verb,
    method: Method,
    /// Below [`PREFIX`], or from the root if `rooted`; also the name under which it is counted.
    pub(crate) path: &'static str,
    rooted: bool,
    pub(crate) takes: Takes,
}

impl Route {
    const fn new(method: Method, path: &'static str, verb: Verb, takes: Takes) -> Self {
        Self { verb, method, path, rooted: false, takes }
    }

    const fn rooted(method: Method, path: &'static str, verb: Verb, takes: Takes) -> Self {
        Self { verb, method, path, rooted: true, takes }
    }

    pub(crate) fn method(&self) -> &Method {
        &self.method
    }

    /// Whether it brings new orders.
    pub(crate) fn places_orders(&self) -> bool {
        matches!(self.verb, Verb::PlaceOrder | Verb::PlaceBatch)
    }

    /// The id in a path that leads here; empty if this one has none.
    fn id<'a>(&self, path: &'a str) -> Option<&'a str> {
        let rest = if self.rooted { path } else { path.strip_prefix(PREFIX)? };
        match self.path.split_once(ID) {
            None => (rest == self.path).then_some(""),
            Some((before, after)) => {
                let id = rest.strip_prefix(before)?.strip_suffix(after)?;
                (!id.is_empty() && !id.contains('/')).then_some(id)
            }
        }
    }
}

/// Where an id stands in a path.
const ID: &str = "{id}";

/// The busiest first.
static ROUTES: [Route; 32] = [
    Route::new(Method::POST, "/orders", Verb::PlaceOrder, Takes::Body),
    Route::new(Method::POST, "/orders/batch", Verb::PlaceBatch, Takes::Body),
    Route::new(Method::POST, "/standby", Verb::Standby, Takes::Body),
    Route::rooted(Method::GET, "/healthz", Verb::Healthz, Takes::Anything),
    Route::rooted(Method::GET, "/readyz", Verb::Readyz, Takes::Anything),
    Route::rooted(Method::HEAD, "/healthz", Verb::Healthz, Takes::Anything),
    Route::rooted(Method::HEAD, "/readyz", Verb::Readyz, Takes::Anything),
    Route::rooted(Method::GET, "/metrics", Verb::Metrics, Takes::Nothing),
    Route::new(Method::GET, "/orders", Verb::ListOrders, Takes::Query),
    Route::new(Method::GET, "/orders/{id}", Verb::ShowOrder, Takes::Nothing),
    Route::new(Method::DELETE, "/orders/{id}", Verb::CancelOrder, Takes::NoField),
    Route::new(Method::GET, "/orders/{id}/history", Verb::History, Takes::Nothing),
    Route::new(Method::GET, "/orders/{id}/explain", Verb::Explain, Takes::Nothing),
    Route::new(Method::POST, "/orders/{id}/release", Verb::Release, Takes::NoField),
    Route::new(Method::POST, "/orders/{id}/migrate", Verb::Migrate, Takes::Body),
    Route::new(Method::GET, "/kitchens", Verb::ListKitchens, Takes::Nothing),
    Route::new(Method::GET, "/kitchens/{id}", Verb::ShowKitchen, Takes::Nothing),
    Route::new(Method::POST, "/kitchens/{id}/cordon", Verb::Cordon, Takes::NoField),
    Route::new(Method::POST, "/kitchens/{id}/uncordon", Verb::Uncordon, Takes::NoField),
    Route::new(Method::POST, "/kitchens/{id}/drain", Verb::Drain, Takes::Body),
    Route::new(Method::POST, "/kitchens/{id}/gone", Verb::Gone, Takes::Body),
    Route::new(Method::GET, "/actions", Verb::Actions, Takes::Query),
    Route::new(Method::GET, "/policy", Verb::Policy, Takes::Nothing),
    Route::new(Method::PUT, "/policy", Verb::SetPolicy, Takes::Body),
    Route::new(Method::GET, "/migrations", Verb::Migrations, Takes::Query),
    Route::new(Method::GET, "/rush", Verb::Rush, Takes::Nothing),
    Route::new(Method::POST, "/rush", Verb::StartRush, Takes::Body),
    Route::new(Method::DELETE, "/rush", Verb::StopRush, Takes::NoField),
    Route::new(Method::GET, "/proof", Verb::Proof, Takes::Nothing),
    Route::new(Method::GET, "/status", Verb::Status, Takes::Nothing),
    Route::new(Method::GET, "/feed", Verb::Feed, Takes::Nothing),
    Route::new(Method::GET, "/link", Verb::Link, Takes::Nothing),
];

/// The row of a request, and the id in its path.
///
/// # Errors
/// The methods that the path has; none if there is no such path.
pub(crate) fn find<'a>(method: &Method, path: &'a str) -> Result<(&'static Route, &'a str), Vec<&'static Method>> {
    let mut others = Vec::new();
    for route in &ROUTES {
        if let Some(id) = route.id(path) {
            if route.method == *method {
                return Ok((route, id));
            }
            others.push(&route.method);
        }
    }
    others.sort_unstable_by_key(|method| method.as_str());
    Err(others)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_compared_byte_for_byte() {
        let verb = |path| find(&Method::POST, path).map(|(route, id)| (route.verb, id)).ok();
        assert_eq!(verb("/api/v1/orders"), Some((Verb::PlaceOrder, "")));
        assert_eq!(verb("/api/v1/orders/o7/migrate"), Some((Verb::Migrate, "o7")));
        for path in [
            "/api/v1orders",
            "/api/v1//orders",
            "/api/v1/orders/",
            "/api/v1/orders//migrate",
            "/api/v1/orders/a/b/migrate",
            "/api/v1/Orders",
            "/api/v1/%6frders",
            "/api/v1/orders%2Fbatch",
            "/api/v1/./orders",
            "/orders",
            "/api/v1/healthz",
            "",
            "*",
        ] {
            assert_eq!(verb(path), None, "{path}");
        }
    }

    #[test]
    fn another_method_is_told_which_there_are() {
        let others = |path| find(&Method::PATCH, path).map(|(route, _)| route.verb);
        assert_eq!(others("/api/v1/orders"), Err(vec![&Method::GET, &Method::POST]));
        assert_eq!(others("/healthz"), Err(vec![&Method::GET, &Method::HEAD]));
        assert_eq!(others("/nowhere"), Err(Vec::new()));
    }

    #[test]
    fn no_row_stands_behind_another_one_that_takes_its_requests() {
        for route in &ROUTES {
            let path = format!("{}{}", if route.rooted { "" } else { PREFIX }, route.path.replace(ID, "x1"));
            let (found, _) = find(&route.method, &path).expect("its own path");
            assert!(std::ptr::eq(found, route), "{path} leads to {:?}", found.verb);
        }
    }

    #[test]
    fn only_two_rows_bring_orders() {
        let places: Vec<Verb> = ROUTES.iter().filter(|route| route.places_orders()).map(|route| route.verb).collect();
        assert_eq!(places, [Verb::PlaceOrder, Verb::PlaceBatch]);
    }
}
