//! City files: a city that is taken is within its limits, fits in one frame, and a core can be led with it.

use std::time::Duration;

use balancer_core::{Core, Input, Now, Settings, State};
use protocol::api::PolicyView;
use protocol::city::{CITY_ENTRIES_MAX, City, DishNo, ZoneNo};
use protocol::link::{self, BalancerMessage, FRAME_MAX, Timing, Welcome};
use protocol::order::QUANTITY_MAX;
use protocol::{Epoch, Item, WallTime};

/// Any bytes.
pub fn body(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(city) = City::parse(text) else { return };
    assert!((1..=CITY_ENTRIES_MAX).contains(&city.zones.len()) && !city.menu.dishes.is_empty());
    let welcome =
        Welcome { epoch: Epoch(1), timing: Timing::DEFAULT, city: City { kitchens: Vec::new(), ..city.clone() } };
    let frame = link::encode(&[BalancerMessage::Welcome(Box::new(welcome))]);
    assert!(frame.len() <= FRAME_MAX, "a city that is taken reaches its agents");
    for number in 0..city.menu.dishes.len() {
        let item = Item { dish: DishNo(number as u16), quantity: QUANTITY_MAX };
        assert!(!protocol::order::plan(&[item, item], &city.menu).is_empty(), "every dish has a stage");
    }
    for number in 0..city.zones.len() {
        assert!(city.km(ZoneNo(0), ZoneNo(number as u16)).is_finite());
    }
    let mut core = Core::new(State::default(), Settings::default());
    let now = Now { mono: Duration::from_secs(9), wall: WallTime(1) };
    core.handle(now, Input::Lead { city: Box::new(city), policy: Box::new(PolicyView::default()) });
}

/// The built-in city's shape, small.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let small = r#"name = "Town"
[[zone]]
name = "Centre"
x_km = 0.0
y_km = -1.5
[[dish]]
name = "pizza"
stages = [{ name = "prep", ms = 1000 }, { name = "bake", ms = 2000, interruptible = false }]
[[kitchen]]
id = "k1"
name = "One"
zone = "Centre"
capacity = 4
stations = 2
specialties = ["pizza"]
"#;
    let least = "name=\"\"\nzone=[{name=\"z\",x_km=1,y_km=inf}]\ndish=[{name=\"d\",stages=[{name=\"s\",ms=0}]}]";
    vec![small.into(), least.into()]
}
