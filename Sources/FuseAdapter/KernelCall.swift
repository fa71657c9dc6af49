import XenstoreFilesystem

/// A request of the kernel, as the log and the status name it.
struct KernelCall {
    /// What a request asks for beside its operation and its subject.
    enum Detail {
        case none
        case open(OpenFlags)
        case range(offset: Int, count: Int)
        /// A read of a stream, which may wait for ever.
        case stream(count: Int)
        case changes(AttributeChanges)
        case attribute(String)
        case count(UInt64)
    }

    let operation: KernelOperation
    let subject: RequestSubject
    let caller: CallerID
    var detail = Detail.none
    let start = Moment.now

    init(
        _ operation: KernelOperation,
        _ subject: RequestSubject,
        by caller: CallerID,
        _ detail: Detail = .none
    ) {
        self.operation = operation
        self.subject = subject
        self.caller = caller
        self.detail = detail
    }

    /// Whether it is to be answered soon.
    var isUrgent: Bool {
        if case .stream = detail { return false }
        return true
    }
}

extension KernelCall.Detail {
    /// The detail in the log, after a space; empty where there is none.
    var text: String {
        switch self {
        case .none: ""
        case .open(let flags): " (\(flags.names))"
        case .range(let offset, let count): " (\(count) bytes from \(offset))"
        case .stream(let count): " (up to \(count) bytes)"
        case .changes(let changes): " (\(changes.names))"
        case .attribute(let name): " (\(name))"
        case .count(let count): " (\(count))"
        }
    }
}

extension OpenFlags {
    /// The flags by their names of open(2).
    fileprivate var names: String {
        var names = [
            contains(.write) ? contains(.read) ? "O_RDWR" : "O_WRONLY" : "O_RDONLY"
        ]
        if contains(.append) { names.append("O_APPEND") }
        if contains(.truncate) { names.append("O_TRUNC") }
        if contains(.exclusive) { names.append("O_EXCL") }
        if contains(.noFollow) { names.append("O_NOFOLLOW") }
        return names.joined(separator: "|")
    }
}

extension AttributeChanges {
    /// What is to be changed, by the names that stat(2) has for it.
    fileprivate var names: String {
        var names: [String] = []
        if let mode { names.append("mode=" + String(mode, radix: 8)) }
        if let userID { names.append("uid=\(userID)") }
        if let groupID { names.append("gid=\(groupID)") }
        if let size { names.append("size=\(size)") }
        if modified != nil { names.append("mtime") }
        return names.joined(separator: " ")
    }
}
