import XenstoreProtocol

extension MountedFilesystem {
    /// The content of `.xsfs/status`: what a person reads, and Prometheus' textfile collector too.
    func status() async -> [UInt8] {
        let features = try? await answer(to: .getFeature(nil))
        var text = StatusText()
        text.gauge("connected", "Whether the store is reached.", connectedSince == nil ? 0 : 1)
        text.labelled(
            "store",
            "Which store, and by what way.",
            ["address": environment.store.address, "transport": environment.store.transport]
        )
        if let since = connectedSince {
            text.gauge(
                "connected_since_seconds",
                "When, in seconds of the epoch.",
                Int(since.seconds)
            )
        }
        if let features,
            let mask = String(decoding: features.prefix { $0 != 0 }, as: UTF8.self)
                .split(separator: " ").last.flatMap({ UInt32($0) })
        {
            text.gauge("store_features", "The features of the store, as a bit mask.", Int(mask))
        }
        text.gauge(
            "watching",
            "Whether a watch keeps names and shapes true.",
            store.isWatching ? 1 : 0
        )
        text.gauge("transactions_open", "Directories in .txn.", transactions.count)
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
        text.gauge("changes_seen", "Changes of which the store has told.", store.changes.serial)
        text.counters(
            "store_requests_total",
            "Requests to the store.",
            label: "operation",
            access.requests.map { ("\($0)", $1) }
        )
        text.counters(
            "store_errors_total",
            "Requests that failed.",
            label: "error",
            access.errors.map { ($0, $1) }
        )
        text.summary("store_wait_seconds", "Waits for answers.", access.waits, access.waited)
        return Array(text.text.utf8)
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

    mutating func counters(
        _ name: String,
        _ help: String,
        label: String,
        _ values: [(String, Int)]
    ) {
        head(name, help, "counter")
        for (value, count) in values.sorted(by: { $0.0 < $1.0 }) {
            text += "xsfs_\(name){\(label)=\"\(escaped(value))\"} \(count)\n"
        }
    }

    mutating func summary(_ name: String, _ help: String, _ count: Int, _ sum: Duration) {
        head(name, help, "summary")
        let (seconds, attoseconds) = sum.components
        let digits = String(1_000_000 + attoseconds / 1_000_000_000_000).dropFirst()
        text += "xsfs_\(name)_sum \(seconds).\(digits)\nxsfs_\(name)_count \(count)\n"
    }

    private func escaped(_ value: String) -> String {
        value.printable.flatMap { character -> [Character] in
            character == "\"" || character == "\\" ? ["\\", character] : [character]
        }.reduce(into: "") { $0.append($1) }
    }
}
