import ChangeNotification
import XenstoreProtocol

/// `.xsfs/status`: what a person reads, and Prometheus' textfile collector too.
final class StatusFile<Access: XenstoreAccess> {
    private let access: RequestMetrics<Access>
    private let store: Filesystem<RequestMetrics<Access>>
    private let transactions: TransactionTable<Access>
    /// When the connection was made; nil without one.
    private var connectedSince: Timestamp?
    /// The features of the store, as a bit mask; nil where it does not say. The status does not
    /// ask: it is what is read when the store does not answer.
    private var features: Int?
    /// The content, and when it was made: the kernel is given the size of the file with its name,
    /// before the file is opened.
    private var last: (text: [UInt8], made: Duration)?

    init(
        _ access: RequestMetrics<Access>,
        of store: Filesystem<RequestMetrics<Access>>,
        _ transactions: TransactionTable<Access>
    ) {
        self.access = access
        self.store = store
        self.transactions = transactions
    }

    /// Whether the store does not answer at the moment.
    var isStoreSilent: Bool {
        connectedSince == nil || access.isSilent(for: FilesystemLimits.silence)
    }

    /// A connection is there.
    func connected() { connectedSince = store.environment.now() }

    func disconnected() { connectedSince = nil }

    /// Asks the store what it offers.
    func askFeatures() async {
        let answer = try? await access.sendWithAnother(.getFeature(nil))
        features = answer.flatMap { answer in
            let text = String(decoding: answer.prefix { $0 != 0 }, as: UTF8.self)
            return text.split(separator: " ").last.flatMap { Int($0) }
        }
    }

    // MARK: Content

    /// How long the content is that was made last.
    var size: Int { last?.text.count ?? 0 }

    /// Makes the content as of now.
    func renew() { last = (make(), store.environment.elapsed()) }

    /// The content for an opening: that of which the kernel has just been given the size. A program
    /// that opens the file by another descriptor has looked no name up.
    func contentAtOpen() -> [UInt8] {
        if let last, store.environment.elapsed() - last.made < .seconds(1) { return last.text }
        renew()
        return last?.text ?? []
    }

    private func make() -> [UInt8] {
        var text = StatusText()
        text.gauge("connected", "Whether the store is reached.", connectedSince == nil ? 0 : 1)
        text.labelled(
            "store_info",
            "Which store, and by what way.",
            [
                "address": store.environment.store.address,
                "transport": store.environment.store.transport,
            ]
        )
        if let since = connectedSince {
            text.gauge(
                "connected_since_timestamp_seconds",
                "When, in seconds of the epoch.",
                Int(since.seconds)
            )
        }
        if let features {
            text.gauge("store_features", "The features of the store, as a bit mask.", features)
        }
        text.gauge(
            "watching",
            "Whether a watch keeps names and shapes true.",
            store.changes.isWatching ? 1 : 0
        )
        text.ages(
            "fuse_request_age_seconds",
            "Requests of the kernel that have waited for a second.",
            store.environment.pendingRequests().map { request in
                let labels = [
                    ("operation", request.operation.name), ("path", request.path),
                    ("pid", "\(request.caller.rawValue)"), ("command", request.command),
                ]
                return (labels, request.age)
            }
        )
        addTransactions(to: &text)
        text.gauge(
            "keys_known",
            "Keys that the kernel remembers, and those above.",
            store.keys.count
        )
        text.gauge(
            "files_open",
            "Open files of keys, streams and scratch files.",
            store.files.count
        )
        text.counter("store_events_total", "Events of the store's watches.", store.changes.count)
        text.counters(
            "store_requests_total",
            "Requests to the store.",
            label: "operation",
            access.requests.map { ($0.name, $1) }
        )
        text.counters(
            "store_errors_total",
            "Requests that failed.",
            label: "error",
            access.errors.map { ($0, $1) }
        )
        text.summary("store_wait_seconds", "Waits for answers.", access.waits, access.waited)
        addMount(to: &text)
        addKernel(to: &text)
        return Array(text.text.utf8)
    }

    /// Adds the transactions that are open.
    private func addTransactions(to text: inout StatusText) {
        text.gauge("transactions_open", "Directories in .txn.", transactions.count)
        let now = store.environment.elapsed()
        text.ages(
            "transaction_age_seconds",
            "Directories in .txn, and who has made them.",
            transactions.open.map { transaction in
                let owner = transaction.owner
                let labels = [
                    ("name", transaction.name), ("uid", "\(owner.userID)"),
                    ("command", owner.command), ("pid", "\(owner.processID)"),
                    ("ppid", "\(owner.parentID)"),
                ]
                return (labels, now - transaction.opened)
            }
        )
    }

    /// Adds what the kernel offers.
    private func addKernel(to text: inout StatusText) {
        guard let kernel = store.environment.kernel() else { return }
        text.gauges(
            "kernel_feature",
            "What the kernel offers to the mount, and older ones do not.",
            label: "feature",
            KernelSupport.Feature.allCases.map {
                ($0.rawValue, kernel.missing.contains($0) ? 0 : 1)
            }
        )
    }

    /// Adds what the mount has done for the kernel.
    private func addMount(to text: inout StatusText) {
        let metrics = store.environment.mountMetrics()
        text.histograms(
            "fuse_request_duration_seconds",
            "How long the kernel waited for answers.",
            metrics.requests
        )
        text.counters(
            "invalidations_total",
            "What the kernel was to forget, at once or when it had let go of it.",
            label: "outcome",
            [("sent", metrics.invalidationsSent), ("held", metrics.invalidationsHeld)]
        )
        let readahead = store.reader.readahead.metrics
        text.counters(
            "readahead_files_total",
            "Files that the store was asked about ahead of a program, by what became of it.",
            label: "outcome",
            [("used", readahead.used), ("wasted", readahead.wasted)]
        )
        text.counters(
            "leases_total",
            "Attributes and contents that the kernel could keep, and had to give up.",
            label: "event",
            [
                ("granted", store.kernelCache.metrics.granted),
                ("revoked", store.kernelCache.metrics.revoked),
            ]
        )
        text.counter(
            "inotify_calls_total",
            "System calls that were made to raise inotify events.",
            store.notifier.callCounts.sent
        )
        text.gauge(
            "inotify_calls_queued",
            "Those that wait.",
            store.notifier.callCounts.waiting
        )
    }
}

/// Text in Prometheus' exposition format; each name begins with `xsfs_`.
private struct StatusText {
    private(set) var text = ""

    private mutating func head(_ name: String, _ help: String, _ type: String) {
        text += "# HELP xsfs_\(name) \(help)\n# TYPE xsfs_\(name) \(type)\n"
    }

    mutating func gauge(_ name: String, _ help: String, _ value: Int) {
        head(name, help, "gauge")
        text += "xsfs_\(name) \(value)\n"
    }

    mutating func labelled(_ name: String, _ help: String, _ labels: [String: String]) {
        head(name, help, "gauge")
        let list = labels.sorted { $0.key < $1.key }.map { "\($0.key)=\"\(escaped($0.value))\"" }
        text += "xsfs_\(name){\(list.joined(separator: ","))} 1\n"
    }

    mutating func counter(_ name: String, _ help: String, _ value: Int) {
        head(name, help, "counter")
        text += "xsfs_\(name) \(value)\n"
    }

    /// One histogram for each operation, also of those that the kernel has not asked for: programs
    /// that copy the text twice compare its lines.
    mutating func histograms(_ name: String, _ help: String, _ metrics: KernelRequestMetrics) {
        head(name, help, "histogram")
        for operation in KernelOperation.allCases where operation.isTimed {
            let histogram = metrics[operation]
            let label = "operation=\"\(operation.name)\""
            var count = 0
            for (bound, inBucket) in zip(KernelRequestMetrics.bounds, histogram.counts) {
                count += inBucket
                let seconds = decimal(.microseconds(bound))
                text += "xsfs_\(name)_bucket{\(label),le=\"\(seconds)\"} \(count)\n"
            }
            text += "xsfs_\(name)_bucket{\(label),le=\"+Inf\"} \(histogram.count)\n"
            text += "xsfs_\(name)_sum{\(label)} \(decimal(histogram.total))\n"
            text += "xsfs_\(name)_count{\(label)} \(histogram.count)\n"
        }
    }

    mutating func ages(
        _ name: String,
        _ help: String,
        _ values: [(labels: [(String, String)], age: Duration)]
    ) {
        head(name, help, "gauge")
        for (labels, age) in values {
            let list = labels.map { "\($0)=\"\(escaped($1))\"" }.joined(separator: ",")
            text += "xsfs_\(name){\(list)} \(decimal(age))\n"
        }
    }

    mutating func counters(
        _ name: String,
        _ help: String,
        label: String,
        _ values: [(String, Int)]
    ) {
        add(name, help, "counter", label: label, values)
    }

    mutating func gauges(
        _ name: String,
        _ help: String,
        label: String,
        _ values: [(String, Int)]
    ) {
        add(name, help, "gauge", label: label, values)
    }

    private mutating func add(
        _ name: String,
        _ help: String,
        _ type: String,
        label: String,
        _ values: [(String, Int)]
    ) {
        head(name, help, type)
        for (value, count) in values.sorted(by: { $0.0 < $1.0 }) {
            text += "xsfs_\(name){\(label)=\"\(escaped(value))\"} \(count)\n"
        }
    }

    mutating func summary(_ name: String, _ help: String, _ count: Int, _ sum: Duration) {
        head(name, help, "summary")
        text += "xsfs_\(name)_sum \(decimal(sum))\nxsfs_\(name)_count \(count)\n"
    }

    /// Seconds, with all their microseconds.
    private func decimal(_ time: Duration) -> String {
        let (seconds, attoseconds) = time.components
        let digits = String(1_000_000 + attoseconds / 1_000_000_000_000).dropFirst()
        return "\(seconds).\(digits)"
    }

    private func escaped(_ value: String) -> String {
        // By scalars: a quote with an accent behind it is one character, and another.
        var text = String.UnicodeScalarView()
        for scalar in value.printable.unicodeScalars {
            if scalar == "\"" || scalar == "\\" { text.append("\\") }
            text.append(scalar)
        }
        return String(text)
    }
}
