//! Members spend on a local AWS, through the deployed API and with tokens: what they do is in the balance at once, and
//! whatever is sent again is done once.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::{Timestamp, ToSpan};
use loyalty_runtime::clock::{self, Deadline};
use loyalty_tests_deployed::Stack;
use loyalty_tests_simulate::{repository, scratch};
use serde_json::{Value, json};

/// The program of other tests, with all that spending needs: a point is a penny, and half an order can be paid so.
fn program(folder: &Path) -> PathBuf {
    let program = std::fs::read_to_string(repository("infra/programs/retail-a.toml")).unwrap();
    let file = folder.join("spending.toml");
    let more = "\n[enrollment]\nactivation = \"none\"\n\n[checkout]\npoint_worth = 0.01\nmax_share = 0.5\n\n\
                [transfers]\n\n[adjustments]\napproval_above = 500\n";
    std::fs::write(&file, program + more).unwrap();
    file
}

/// A shop, and who asks.
struct Shop {
    stack: Stack,
    ada: String,
}

impl Shop {
    /// Sends events of orders.
    async fn order(&self, event: &Value) {
        let sqs = self.stack.aws().sqs(Duration::from_secs(20));
        let queue = self.stack.output("orders_queue_url");
        sqs.send_message().queue_url(queue).message_body(event.to_string()).send().await.unwrap();
    }

    /// Ada's points: available, pending and held.
    fn points(&self) -> [u64; 3] {
        let (status, body) = self.stack.get("/v1/members/me", Some(&self.ada));
        assert_eq!(status, 200, "{body}");
        ["available", "pending", "held"].map(|it| body["points"][it].as_u64().unwrap())
    }

    /// Waits until Ada's points are so.
    async fn comes_to(&self, points: [u64; 3]) {
        let deadline = Deadline::after(Duration::from_mins(1));
        while self.points() != points {
            assert!(!deadline.left().is_zero(), "{:?} and not {points:?}", self.points());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// What is answered to a POST under a key: at first, and when it is sent again.
    fn post(&self, token: &str, path: &str, key: &str, body: &Value) -> (u16, Value) {
        let ask = || self.stack.tell_under(Some(key), "POST", path, Some(token), body);
        let first = ask();
        assert_eq!(ask(), first, "what is sent again is answered as it was");
        first
    }

    /// The same, of which yes is expected.
    fn done(&self, token: &str, path: &str, key: &str, body: &Value) -> Value {
        let (status, answer) = self.post(token, path, key, body);
        assert!((200..300).contains(&status), "{path} {key}: {status} {answer}");
        answer
    }
}

fn paid(id: &str, paid_at: Timestamp, amount_minor: u32, more: &Value) -> Value {
    let mut event = json!({
        "type": "order.paid", "order_id": id, "member_id": "ada", "currency": "GBP",
        "paid_at": paid_at.to_string(),
        "lines": [{"id": "1", "sku": "A", "quantity": 2, "amount_minor": amount_minor}]
    });
    for (name, value) in more.as_object().unwrap() {
        event[name] = value.clone();
    }
    event
}

#[tokio::test]
async fn a_member_earns_takes_a_reward_gives_is_given_and_pays_with_points_of_which_some_come_back()
{
    let program = program(&scratch("deployed-spending-program"));
    let stack = Stack::up("deployed-spending", program.to_str().unwrap(), 0);
    let ada = stack.token(&["--member", "ada"]);
    let writer = stack.token(&["--scope", "loyalty/members.write"]);
    let shop = Shop { stack, ada };

    // 20 days ago, and before anything else of hers: pending no more.
    let long_ago = clock::now() - (20 * 24).hours();
    shop.order(&paid("old", long_ago, 100_000, &json!({}))).await;
    shop.comes_to([1_000, 0, 0]).await;
    for member in ["ada", "bea"] {
        let joins = json!({"member_id": member, "source": "store-12"});
        let (status, body) = shop.stack.tell("POST", "/v1/members", Some(&writer), &joins);
        assert_eq!(status, 201, "{body}");
    }
    takes_a_reward(&shop);
    gives_and_is_given(&shop);
    pays_with_points(&shop).await;

    let (status, statement) = shop.stack.get("/v1/members/me/entries?limit=50", Some(&shop.ada));
    assert_eq!(status, 200, "{statement}");
    let entries = statement["entries"].as_array().unwrap();
    let kinds: Vec<&str> =
        entries.iter().rev().map(|it| it["source"]["kind"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "order",
            "enrollment",
            "redemption",
            "transfer",
            "adjust",
            "review_adjustment",
            "hold",
            "order",
            "refund"
        ]
    );
    assert_eq!(entries[0]["balance"]["available"], 1_600);
}

/// An order of 10 pounds is paid with 5 pounds in points, and half of it comes back.
async fn pays_with_points(shop: &Shop) {
    let asks = json!({"total_minor": 1_000, "currency": "GBP"});
    let path = "/v1/members/me/checkout/quotes";
    let (status, quote) = shop.stack.tell("POST", path, Some(&shop.ada), &asks);
    assert_eq!(status, 200, "{quote}");
    assert_eq!((&quote["points"], &quote["amount_minor"]), (&500.into(), &500.into()), "{quote}");
    assert_eq!(shop.points(), [1_850, 0, 0], "a quote takes nothing");

    let path = "/v1/members/me/checkout/holds";
    let held = shop.done(&shop.ada, path, "basket-1", &asks);
    assert_eq!(shop.points(), [1_350, 0, 500], "{held}");
    let other = json!({"total_minor": 900, "currency": "GBP"});
    let (status, reused) = shop.post(&shop.ada, path, "basket-1", &other);
    assert_eq!((status, &reused["code"]), (422, &"idempotency-key-reused".into()), "{reused}");

    let pays = json!({"paid_with_points_minor": 500, "points_hold_id": held["hold"]["hold_id"]});
    let order = paid("new", clock::now(), 1_000, &pays);
    shop.order(&order).await;
    shop.order(&order).await;
    // 5 pounds of money earn 5 points.
    shop.comes_to([1_350, 5, 0]).await;

    let lines = json!([{"id": "1", "quantity": 1, "amount_minor": 250}]);
    let asks = json!({"order_id": "new", "refund_id": "1", "lines": lines});
    let service = shop.stack.token(&["--scope", "loyalty/members.read"]);
    let path = "/v1/orders/refund-preview";
    let (status, preview) = shop.stack.tell("POST", path, Some(&service), &asks);
    assert_eq!((status, &preview["is_new"]), (200, &true.into()), "{preview}");
    assert_eq!(shop.points(), [1_350, 5, 0], "a preview does nothing");

    let refund = json!({
        "type": "order.refunded", "order_id": "new", "refund_id": "1",
        "refunded_at": clock::now().to_string(), "lines": lines
    });
    shop.order(&refund).await;
    shop.order(&refund).await;
    shop.comes_to([1_600, 2, 0]).await;
    let (_, statement) = shop.stack.get("/v1/members/me/entries?limit=1", Some(&shop.ada));
    for what in ["changes", "balance"] {
        assert_eq!(statement["entries"][0][what], preview["entry"][what], "as it was said");
    }
}

/// Staff offer a coupon, and Ada takes it.
fn takes_a_reward(shop: &Shop) {
    let editor = shop.stack.token(&["--scope", "loyalty/catalog.write", "--person", "p1"]);
    let coupon = json!({
        "version": 1, "status": "active", "kind": {"coupon": {"codes": "generated"}}, "points": 100,
        "is_limited": false, "texts": {"en": {"name": "5 off", "description": "", "terms": ""}}
    });
    let path = "/v1/rewards/five-off";
    let (status, kept) = shop.stack.tell("PUT", path, Some(&editor), &coupon);
    assert_eq!(status, 200, "{kept}");

    let path = "/v1/members/me/redemptions";
    let takes = json!({"reward_id": "five-off"});
    let taken = shop.done(&shop.ada, path, "wish-1", &takes);
    assert_eq!(taken["balance"]["available"], 900, "{taken}");
    let unknown = json!({"reward_id": "no-such-thing"});
    let (status, refused) = shop.post(&shop.ada, path, "wish-2", &unknown);
    assert_eq!((status, &refused["reason"]), (409, &"no_such_reward".into()), "{refused}");
}

/// Ada gives Bea points, and two persons of staff give Ada some.
fn gives_and_is_given(shop: &Shop) {
    let gift = json!({"to": "bea", "points": 50});
    let given = shop.done(&shop.ada, "/v1/members/me/transfers", "gift-1", &gift);
    assert_eq!(given["balance"]["available"], 850, "{given}");

    let person = |it| shop.stack.token(&["--scope", "loyalty/adjustments.write", "--person", it]);
    let (one, other) = (person("p1"), person("p2"));
    let adds =
        json!({"direction": "add", "points": 1_000, "reason": "goodwill", "note": "Called."});
    let path = "/v1/members/ada/adjustments";
    let (status, waiting) = shop.post(&one, path, "case-1", &adds);
    assert_eq!((status, &waiting["state"]), (202, &"waiting".into()), "{waiting}");
    let path = format!("{path}/{}/review", waiting["adjustment_id"].as_str().unwrap());
    let approves = json!({"approve": true, "reason": "receipt-seen"});
    let (status, own) = shop.post(&one, &path, "case-1", &approves);
    assert_eq!((status, &own["reason"]), (409, &"approver_is_requester".into()), "{own}");
    let made = shop.done(&other, &path, "case-1", &approves);
    assert_eq!(made["entry"]["balance"]["available"], 1_850, "{made}");
}
