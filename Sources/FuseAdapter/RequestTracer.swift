import Glibc
import Logging
import XenstoreFilesystem

/// Writes the kernel's requests to the log, and counts them.
struct RequestTracer {
    let log: Logger
    /// Whether what is read and written is logged, and not its length alone.
    let showsValues: Bool
    private(set) var metrics = KernelRequestMetrics()

    init(_ log: Logger, showsValues: Bool) {
        self.log = log
        self.showsValues = showsValues
    }

    /// Whether requests are logged as they come and go. One branch, where they are not.
    var isTracing: Bool { log.isTracing }

    /// Logs that a request has come.
    ///
    /// - Parameter text: what ``text(of:in:)`` gave.
    func began(_ text: String, _ number: UInt64) {
        log.trace("\(text)", metadata: ["request": "\(number)"])
    }

    /// Counts a request that is about to be answered.
    ///
    /// - Returns: how long it took, in nanoseconds.
    mutating func count(_ call: KernelCall) -> Int64 {
        let time = Moment.now - call.start
        metrics.note(call.operation, took: time)
        return time
    }

    /// Logs that a request is answered.
    func ended(
        _ call: KernelCall,
        _ number: UInt64,
        _ outcome: Result<Answer, FilesystemError>,
        after nanoseconds: Int64,
        _ cost: StoreCost
    ) {
        let time = Duration.nanoseconds(nanoseconds)
        var text = "\(call.operation.name): \(self.text(of: outcome)), \(time.inMicroseconds)"
        switch cost.requests {
        case 0: text += " from memory"
        case 1: text += ", 1 store request in \(cost.waited.inMicroseconds)"
        default: text += ", \(cost.requests) store requests in \(cost.waited.inMicroseconds)"
        }
        log.trace("\(text)", metadata: ["request": "\(number)"])
    }

    /// Logs a request that is answered at once, or awaits no answer.
    func noted(_ call: KernelCall, in filesystem: any MountOperations) {
        log.trace("\(text(of: call, in: filesystem))")
    }

    /// Logs that a request was dropped, which no part of the mount may do.
    func forgot(_ call: KernelCall, _ number: UInt64, in filesystem: any MountOperations) {
        let text = text(of: call, in: filesystem)
        log.warning("dropped \(text): it fails with EIO", metadata: ["request": "\(number)"])
    }

    /// Logs that a request has waited for long.
    func isSlow(
        _ call: KernelCall,
        _ number: UInt64,
        after nanoseconds: Int64,
        in filesystem: any MountOperations
    ) {
        let text = text(of: call, in: filesystem)
        log.warning(
            "\(text) has waited for \(nanoseconds / 1_000_000_000) s",
            metadata: ["request": "\(number)"]
        )
    }

    /// A request as the log names it.
    func text(of call: KernelCall, in filesystem: any MountOperations) -> String {
        let path = filesystem.path(of: call.subject)
        var text = "\(call.operation.name) \(path)\(call.detail.text)"
        if call.caller != .nobody {
            text += " by \(Self.command(of: call.caller))[\(call.caller.rawValue)]"
        }
        return text
    }

    /// The name of the program that a thread runs, as the kernel has it.
    static func command(of caller: CallerID) -> String {
        let descriptor = Glibc.open("/proc/\(caller.rawValue)/comm", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "?" }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(count - 1, 0)), as: UTF8.self)
    }

    // MARK: Answers

    private func text(of outcome: Result<Answer, FilesystemError>) -> String {
        switch outcome {
        case .failure(let error): error.name
        case .success(let answer): text(of: answer)
        }
    }

    private func text(of answer: Answer) -> String {
        switch answer {
        case .done: "done"
        case .entry(let entry): text(of: entry)
        case .attributes(let attributes): text(of: attributes)
        case .opened(let handle, _, let caching):
            "handle \(handle.rawValue)\(caching == .none ? "" : ", cached")"
        case .openedStream(let handle): "handle \(handle.rawValue), a stream"
        case .openedDirectory(let handle, let caching):
            "handle \(handle.rawValue)\(caching == .none ? "" : ", cached")"
        case .created(let entry, let handle): "\(text(of: entry)), handle \(handle.rawValue)"
        case .bytes(let bytes): LoggedBytes.text(of: bytes, showsValue: showsValues)
        case .written(let count): "\(count) bytes"
        case .attribute(let bytes, _): LoggedBytes.text(of: bytes, showsValue: showsValues)
        case .listing(let entries, _): "\(entries.count) names"
        }
    }

    private func text(of entry: Entry) -> String {
        let attributes = text(of: entry.attributes)
        return entry.nameLifetime > 0 ? "\(attributes), name cached" : attributes
    }

    private func text(of attributes: Attributes) -> String {
        let mode = String(attributes.mode, radix: 8)
        let lifetime = attributes.lifetime > 0 ? ", attributes cached" : ""
        return switch attributes.kind {
        case .directory: "directory, mode \(mode)\(lifetime)"
        case .file: "file, mode \(mode), \(attributes.size) bytes\(lifetime)"
        }
    }
}
