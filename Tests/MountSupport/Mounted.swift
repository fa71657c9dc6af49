import Glibc
public import Testing

/// A store, mounted by a process of its own.
public final class Mounted: Sendable {
    public let kind: StoreKind
    /// Runs commands in the mount. `$S` is the store's socket, and the xenstore-* programs find it.
    public let shell: Shell
    /// Where it is mounted, `$M` to the commands.
    public let point: String
    /// The store's own process, where it has one.
    public let store: TestStore?
    /// Where the store is reached, by others and by the mount unless there is a proxy.
    public let socket: String
    /// The process that serves the mount.
    public let daemon: ChildProcess

    init(
        _ kind: StoreKind,
        _ store: TestStore?,
        socket: String,
        options: MountSettings,
        in base: Shell
    ) async throws {
        self.kind = kind
        self.socket = socket
        self.store = store
        point = base.directory + "/mount"
        mkdir(point, 0o755)
        shell = base.adding([
            "M": point, "S": socket, "XENSTORED_PATH": socket, "K": kind.rawValue,
        ])
        daemon = try await base.startMount(
            kind,
            socket: options.usesProxy ? base.proxySocket : socket,
            options: options.options,
            log: options.log,
            at: point
        )
    }

    /// Waits for the mount.
    func waitUntilReady() async throws {
        try await eventually("the mount is there") {
            if let status = daemon.status {
                throw TestFailure("xsfs ended, \(status): \(log)")
            }
            return isMounted(point)
        }
    }

    /// What the process that serves the mount has logged.
    public var log: String { readFile(daemon.errors) ?? "" }

    /// Runs a script in the mount.
    public func run(_ script: String, limit: Duration = patience) async throws
        -> CommandResult
    {
        try await shell.run(script, limit: limit)
    }

    /// Runs a script in the mount that must succeed, and gives back what it printed.
    public func output(
        _ script: String,
        limit: Duration = patience,
        _ location: SourceLocation = #_sourceLocation
    ) async throws -> String {
        let result = try await shell.run(script, limit: limit)
        #expect(
            result.status == .exited(0) && result.errors.isEmpty,
            "\(script): \(result)",
            sourceLocation: location
        )
        return result.output
    }

    /// Expects that a script succeeds, says nothing on standard error, and prints just this.
    public func expect(
        _ script: String,
        prints expected: String = "",
        limit: Duration = patience,
        _ location: SourceLocation = #_sourceLocation
    ) async throws {
        try await shell.expect(script, prints: expected, limit: limit, location)
    }

    /// Expects that a script fails and says why.
    public func expect(
        _ script: String,
        fails reason: String,
        _ location: SourceLocation = #_sourceLocation
    ) async throws {
        try await shell.expect(script, fails: reason, location)
    }

    /// Ends the mount, and complains of what was not as it should be.
    func end(_ settings: MountSettings) async throws {
        daemon.signal(SIGCONT)
        daemon.signal(SIGTERM)
        var complaints: [String] = []
        if try await daemon.wait() == nil {
            complaints.append("it does not end after SIGTERM: \(whereabouts(daemon.id))")
            daemon.signal(SIGKILL)
            _ = try await daemon.wait()
        }
        if let status = daemon.status, status != .exited(0), !settings.mayBeKilled {
            complaints.append("it ended with \(status)")
        }
        if isMounted(point) {
            if !settings.mayBeKilled { complaints.append("its mount is left") }
            _ = try await shell.adding(["M": "/"]).run("umount -f -l '\(point)'")
        }
        complaints += suspicions(in: log, but: settings.tolerated)
        guard complaints.isEmpty else {
            let text = complaints.joined(separator: "\n")
            throw TestFailure("the process that served the mount: \(text)\nIts log:\n\(log)")
        }
    }
}

/// The lines of a log that tell of something that must not happen.
func suspicions(in log: String, but tolerated: [String]) -> [String] {
    log.split(separator: "\n").map(String.init).filter { line in
        let text = line.lowercased()
        return ["error", "fatal", "precondition", "crash", "failed"].contains { text.contains($0) }
            && !tolerated.contains { line.contains($0) }
    }
}

/// Whether something is mounted there; asks the kernel's list, never what is mounted.
public func isMounted(_ point: String) -> Bool {
    (readFile("/proc/self/mountinfo") ?? "").contains(" \(point) ")
}

extension Mounted {
    /// Compares the whole mount with what the store itself says, key by key.
    public func expectSameAsStore(_ location: SourceLocation = #_sourceLocation) async throws {
        let result = try await shell.run("\"$TOOLS/compare-mount\" \"$M\"", limit: patience * 3)
        #expect(result.status == .exited(0), "\(result)", sourceLocation: location)
    }
}
