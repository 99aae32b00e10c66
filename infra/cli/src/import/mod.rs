//! Files of orders: rows become documents, documents become order events, returns find their orders.
//!
//! Read in this order: [`rows`], [`documents`], this file; [`map`], which says what a column is; and
//! [`events`], where a file has events already.

pub(crate) mod documents;
pub(crate) mod events;
pub(crate) mod map;
pub(crate) mod rows;

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use compact_str::{CompactString, ToCompactString};
use jiff::Timestamp;
use loyalty_domain::{
    command::{Correction, RefundLine, Request},
    id::{Category, Channel, LineId, MemberId, OrderId, RefundId, Sku},
    money::Minor,
    order::{Content, Line, LineKey, Order},
};

use self::{
    documents::{Document, Documents, RowMistake},
    map::{ColumnMap, Kind, MapError, Worth},
    rows::Rows,
};

/// Which file is read.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Files {
    /// The file of orders: CSV, gzip or not.
    #[arg(long, value_name = "CSV", requires = "columns")]
    pub(crate) orders: Option<PathBuf>,
    /// Which column of the file is what; see infra/imports.
    #[arg(long, value_name = "TOML", requires = "orders")]
    pub(crate) columns: Option<PathBuf>,
    /// Order events instead of a file of orders: one JSON a line, in the order of their arrival.
    #[arg(long, value_name = "JSONL", conflicts_with_all = ["orders", "columns"])]
    pub(crate) events: Option<PathBuf>,
    /// A small extract of a real shop's year.
    #[arg(long, conflicts_with_all = ["orders", "columns", "events"])]
    pub(crate) demo: bool,
}

impl Files {
    /// Whether any is named.
    pub(crate) const fn is_any(&self) -> bool {
        self.demo || self.orders.is_some() || self.events.is_some()
    }

    /// The file of orders with its column map: those that were named, or the demo's.
    pub(crate) fn orders(&self, root: &Path) -> (PathBuf, PathBuf) {
        let given =
            |path: &Option<PathBuf>, demo: &str| path.clone().unwrap_or_else(|| root.join(demo));
        (
            given(&self.orders, "tests/data/online-retail-extract.csv.gz"),
            given(&self.columns, "infra/imports/online-retail.toml"),
        )
    }

    /// Each with the flag that named it.
    pub(crate) const fn named(&self) -> [(&'static str, &Option<PathBuf>); 3] {
        [("--orders", &self.orders), ("--columns", &self.columns), ("--events", &self.events)]
    }
}

/// A file of orders cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImportError {
    /// The file system says no.
    #[error("cannot read {}", .path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// There is no header, so nothing can be found.
    #[error("{}: the first row must name the columns", .path.display())]
    NoHeader { path: PathBuf },
    /// The map is wrong, or not this file's.
    #[error(transparent)]
    Map(#[from] MapError),
}

/// What became of a file, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ImportReport {
    /// Rows, the header not counted.
    pub(crate) rows: u64,
    pub(crate) orders: usize,
    /// Members that have an order.
    pub(crate) members: usize,
    /// Returns of a customer.
    pub(crate) returns: usize,
    /// How many of them are of customers without any order…
    pub(crate) returns_without_order: usize,
    /// … and of how many customers.
    pub(crate) customers_without_order: usize,
    pub(crate) guest_orders: usize,
    pub(crate) guest_returns: usize,
    /// Documents whose every row was rejected.
    pub(crate) empty_documents: usize,
    /// Documents between whose rows rows of others stand.
    pub(crate) scattered_documents: usize,
    pub(crate) unmatched_lines: usize,
    pub(crate) unmatched_units: u64,
    /// The same, each with the line on which its return begins.
    pub(crate) unmatched: Vec<(u64, String)>,
    /// Rows left out, each with its line and reason, by line.
    pub(crate) rejected: Vec<(u64, String)>,
}

/// A file that was read.
pub(crate) struct Import {
    documents: Documents,
    worth: Worth,
    rows: u64,
}

impl Import {
    /// Reads the whole file; `progress` counts its bytes as they are read.
    pub(crate) fn read(
        path: &Path,
        map: &ColumnMap,
        progress: &Arc<AtomicU64>,
    ) -> Result<Self, ImportError> {
        let unreadable = |source| ImportError::Unreadable { path: path.to_owned(), source };
        let mut rows = Rows::open(path, map.delimiter, map.encoding, Arc::clone(progress))
            .map_err(unreadable)?;
        let columns = match rows.next().map_err(unreadable)? {
            Some(Ok(header)) => {
                let names: Vec<String> = (0..header.len())
                    .map(|it| String::from_utf8_lossy(header.field(it).unwrap_or_default()).into())
                    .collect();
                map.columns(&names)?
            }
            Some(Err(_)) | None => return Err(ImportError::NoHeader { path: path.to_owned() }),
        };
        let mut documents = Documents::default();
        let mut count = 0_u64;
        while let Some(row) = rows.next().map_err(unreadable)? {
            count = count.saturating_add(1);
            match row {
                Ok(row) => documents.add(map, &columns, row),
                Err((line, broken)) => documents.reject(line, RowMistake::Broken(broken)),
            }
        }
        documents.end(map);
        progress.fetch_max(u64::MAX, Ordering::Relaxed);
        Ok(Self { documents, worth: map.worth, rows: count })
    }

    /// When the last document was made out.
    pub(crate) fn last_at(&self) -> Option<Timestamp> {
        self.documents.all.iter().map(|it| it.at).max()
    }

    /// How many documents there are.
    pub(crate) fn len(&self) -> usize {
        self.documents.all.len()
    }

    /// Makes the events, in order of time and at one instant in file order, and gives each to
    /// `sink` with the line of its document; `progress` counts documents.
    pub(crate) fn events(
        &mut self,
        progress: &AtomicU64,
        mut sink: impl FnMut(u64, Request),
    ) -> ImportReport {
        let mut report = ImportReport {
            rows: self.rows,
            rejected: (self.documents.rejected.iter())
                .map(|it| (it.line, it.reason.to_string()))
                .collect(),
            ..ImportReport::default()
        };
        let mut order: Vec<usize> = (0..self.documents.all.len()).collect();
        // Stable, so that ties stay in file order.
        order.sort_by_key(|it| self.documents.all.get(*it).map(|it| it.at));
        let mut by_member: Vec<MemberOrders> = Vec::new();
        by_member.resize_with(self.documents.members.len(), MemberOrders::default);
        let mut returns = vec![0_usize; self.documents.members.len()];
        for index in order {
            progress.fetch_add(1, Ordering::Relaxed);
            let Some(document) = self.documents.all.get(index) else { continue };
            let Some(member) = document.member else {
                match document.kind {
                    _ if !document.is_guests() => report.empty_documents += 1,
                    Kind::Order => report.guest_orders += 1,
                    Kind::Return => report.guest_returns += 1,
                }
                continue;
            };
            let member = usize::try_from(member).unwrap_or(usize::MAX);
            report.empty_documents += usize::from(document.lines.is_empty());
            match document.kind {
                Kind::Order if document.lines.is_empty() => (),
                Kind::Order => match self.order(document) {
                    Ok(order) => {
                        report.orders += 1;
                        sink(document.line, Request::order(order));
                        if let Some(orders) = by_member.get_mut(member) {
                            orders.all.push(index);
                        }
                    }
                    Err(reason) => report.rejected.push((document.line, reason)),
                },
                Kind::Return => {
                    report.returns += 1;
                    if let Some(returns) = returns.get_mut(member) {
                        *returns += 1;
                    }
                    let line = document.line;
                    let Some(orders) = by_member.get_mut(member) else { continue };
                    for request in self.refunds(index, orders, &mut report) {
                        sink(line, request);
                    }
                }
            }
        }
        report.scattered_documents = self.documents.scattered;
        report.rejected.sort_by_key(|(line, _)| *line);
        report.members = by_member.iter().filter(|it| !it.all.is_empty()).count();
        for (orders, returns) in by_member.iter().zip(returns) {
            if orders.all.is_empty() && returns > 0 {
                report.customers_without_order += 1;
                report.returns_without_order += returns;
            }
        }
        report
    }

    fn order(&self, document: &Document) -> Result<Order, String> {
        let id = |error: loyalty_domain::id::InvalidId| error.to_string();
        let mut lines = Vec::with_capacity(document.lines.len());
        for (index, line) in document.lines.iter().enumerate() {
            let amount = document
                .worth(self.worth, line, line.quantity)
                .and_then(|it| Minor::try_from(it).ok())
                .ok_or_else(|| format!("an amount of order {} is too large", document.id))?;
            let category = line.category.map(|it| self.documents.categories.get(it));
            lines.push(Line {
                id: line_id(index).map_err(id)?,
                sku: Sku::try_from(self.documents.skus.get(line.sku)).map_err(id)?,
                category: category.map(Category::try_from).transpose().map_err(id)?,
                quantity: line.quantity,
                amount,
                discounts: Minor::ZERO,
                is_gift_card: false,
            });
        }
        let member = document.member.map(|it| self.documents.members.get(it));
        let channel = document.channel.as_deref();
        Ok(Order {
            order_id: OrderId::try_from(document.id.as_str()).map_err(id)?,
            member_id: member.map(MemberId::try_from).transpose().map_err(id)?,
            paid_at: document.at,
            currency: document.currency,
            channel: channel.map(Channel::try_from).transpose().map_err(id)?,
            referral_code: document.referral_code.clone(),
            points_hold: None,
            content: Content { lines, ..Content::default() },
        })
    }

    /// The refunds of the return at `index`, taken off its member's `orders`, the newest first.
    fn refunds(
        &mut self,
        index: usize,
        orders: &mut MemberOrders,
        report: &mut ImportReport,
    ) -> Vec<Request> {
        let Some(document) = self.documents.all.get(index) else { return Vec::new() };
        let (id, at, line) = (document.id.clone(), document.at, document.line);
        let returned: Vec<(u32, u32)> =
            document.lines.iter().map(|it| (it.sku, it.quantity)).collect();
        let mut touched: Vec<(usize, Vec<RefundLine>)> = Vec::new();
        for (sku, quantity) in returned {
            let mut missing = quantity;
            let with_sku = orders.with_sku(sku, &self.documents);
            while missing > 0 {
                let Some(&order) = with_sku.last() else { break };
                let Some(document) = self.documents.all.get_mut(order) else { break };
                for line in 0..document.lines.len() {
                    let Some(refund) = take(document, self.worth, line, sku, &mut missing) else {
                        continue;
                    };
                    match touched.iter_mut().find(|(it, _)| *it == order) {
                        Some((_, lines)) => merge(lines, refund),
                        None => touched.push((order, vec![refund])),
                    }
                }
                // Nothing of it is left in there, now or for the returns to come.
                if missing > 0 {
                    with_sku.pop();
                }
            }
            if missing > 0 {
                report.unmatched_lines += 1;
                report.unmatched_units += u64::from(missing);
                let sku = self.documents.skus.get(sku);
                let what = format!("return {id}: {missing} of {sku} are in no order before it");
                report.unmatched.push((line, what));
            }
        }
        let mut requests = Vec::with_capacity(touched.len());
        for (order, lines) in touched {
            let order = self.documents.all.get(order).map(|it| it.id.as_str());
            match refund(order.unwrap_or_default(), &id, at, lines) {
                Ok(request) => requests.push(request),
                Err(error) => report.rejected.push((line, error.to_string())),
            }
        }
        requests
    }
}

/// The orders of one member, the newest last.
#[derive(Default)]
struct MemberOrders {
    all: Vec<usize>,
    /// How many of them are in `by_sku`: none, but for the few members who have very many.
    known: usize,
    by_sku: HashMap<u32, Vec<usize>>,
    /// Of a member with few orders, those that were found last.
    found: Vec<usize>,
}

/// Up to so many orders it is cheaper to look at each than to remember what is in them.
const FEW_ORDERS: usize = 64;

impl MemberOrders {
    /// The orders that may have units of `sku` left, the newest last.
    fn with_sku(&mut self, sku: u32, documents: &Documents) -> &mut Vec<usize> {
        if self.all.len() <= FEW_ORDERS {
            let has_some = |order: &&usize| {
                let document = documents.all.get(**order);
                document.is_some_and(|it| it.lines.iter().any(|it| it.sku == sku && it.left > 0))
            };
            self.found.clear();
            self.found.extend(self.all.iter().filter(has_some));
            return &mut self.found;
        }
        for &order in self.all.iter().skip(self.known) {
            let lines = documents.all.get(order).map_or(&[][..], |it| it.lines.as_slice());
            for line in lines {
                let orders = self.by_sku.entry(line.sku).or_default();
                if orders.last() != Some(&order) {
                    orders.push(order);
                }
            }
        }
        self.known = self.all.len();
        self.by_sku.entry(sku).or_default()
    }
}

fn refund(
    order: &str,
    id: &CompactString,
    at: Timestamp,
    lines: Vec<RefundLine>,
) -> Result<Request, loyalty_domain::id::InvalidId> {
    let (order, id) = (OrderId::try_from(order)?, RefundId::try_from(id.as_str())?);
    Ok(Request::refund(order, id, at, Correction::Lines(lines)))
}

fn line_id(index: usize) -> Result<LineId, loyalty_domain::id::InvalidId> {
    LineId::try_from(index.saturating_add(1).to_compact_string())
}

/// Takes what it can of `missing` units of `sku` off the line at `index`.
fn take(
    document: &mut Document,
    worth: Worth,
    index: usize,
    sku: u32,
    missing: &mut u32,
) -> Option<RefundLine> {
    let line = *document.lines.get(index).filter(|it| it.sku == sku && it.left > 0)?;
    let quantity = line.left.min(*missing);
    if quantity == 0 {
        return None;
    }
    let left = line.left.saturating_sub(quantity);
    let before = document.worth(worth, &line, line.left)?;
    let after = document.worth(worth, &line, left)?;
    let amount = Minor::try_from(before.saturating_sub(after)).ok()?;
    *missing = missing.saturating_sub(quantity);
    if let Some(line) = document.lines.get_mut(index) {
        line.left = left;
    }
    Some(RefundLine { key: LineKey::Line(line_id(index).ok()?), quantity, amount })
}

/// One refund names a line once, however many of a return's rows took something off it.
fn merge(lines: &mut Vec<RefundLine>, refund: RefundLine) {
    match lines.iter_mut().find(|it| it.key == refund.key) {
        Some(line) => {
            line.quantity = line.quantity.saturating_add(refund.quantity);
            line.amount = line.amount.plus(refund.amount).unwrap_or(Minor::MAX);
        }
        None => lines.push(refund),
    }
}
