import Glibc

/// What a test wants of its mount.
public struct MountSettings: Sendable {
    /// What `-o` gets.
    public var options: String?
    /// The numbers of the guests that exist.
    public var domains = 1...9
    /// One that `xsfs serve` gives a socket.
    public var guest: Int?
    /// Parts of lines of the log that are no complaint in this test.
    public var tolerated: [String] = []
    /// Whether the test itself may have killed the process that serves the mount.
    public var mayBeKilled = false
    /// Whether the mount reaches its store through `Tests/MountTools/proxy`, in `$T/proxy`.
    public var usesProxy = false
    /// Options for the log, such as `--log=fuse=trace`.
    public var log: [String] = []

    public init(
        options: String? = nil,
        domains: ClosedRange<Int> = 1...9,
        guest: Int? = nil,
        tolerated: [String] = [],
        mayBeKilled: Bool = false,
        usesProxy: Bool = false,
        log: [String] = []
    ) {
        self.options = options
        self.domains = domains
        self.guest = guest
        self.tolerated = tolerated
        self.mayBeKilled = mayBeKilled
        self.usesProxy = usesProxy
        self.log = log
    }
}

extension Shell {
    var proxyDirectory: String { directory + "/proxy" }
    var proxySocket: String { proxyDirectory + "/socket" }

    /// Starts the process that serves a mount.
    public func startMount(
        _ kind: StoreKind,
        socket: String,
        options: String? = nil,
        log: [String] = [],
        at point: String
    ) async throws -> ChildProcess {
        var arguments = [Tool.xsfs, "-f"] + log
        switch kind {
        case .embedded:
            let listing = directory + "/embedded.txt"
            try writeFile(listing, TestStore.initialListing)
            arguments += ["--embedded", "--load", listing, "--listen", socket]
        case .served, .xenstored, .oxenstored, .xenstored420, .oxenstored420:
            arguments += [isDevice(socket) ? "--device" : "--socket", socket]
        }
        if let options { arguments += ["-o", options] }
        return try await startDaemon(arguments + [point], log: directory + "/mount.log")
    }
}

/// Starts a store, mounts it, runs the body, and takes everything away again.
public func withMount(
    _ kind: StoreKind,
    _ settings: MountSettings = MountSettings(),
    _ body: (Mounted) async throws -> Void
) async throws {
    try await Shell.use { shell in
        guard kind != .embedded else {
            try await withMount(kind, nil, settings, in: shell, body)
            return
        }
        let store = try await TestStore.start(
            kind,
            domains: settings.domains,
            guest: settings.guest,
            in: shell
        )
        let result = await Result(catching: {
            guard settings.usesProxy else {
                return try await withMount(kind, store, settings, in: shell, body)
            }
            try await withProxy(of: store, in: shell) {
                try await withMount(kind, store, settings, in: shell, body)
            }
        })
        try await store.stop()
        try result.get()
    }
}

private func withProxy(
    of store: TestStore,
    in shell: Shell,
    _ body: () async throws -> Void
) async throws {
    let directory = shell.proxyDirectory
    mkdir(directory, 0o700)
    let process = try await shell.startDaemon(
        [Tool.scripts + "/proxy", shell.proxySocket, store.socket, directory],
        log: directory + "/log"
    )
    let result = await Result(catching: {
        try await eventually("the proxy listens") { canConnect(to: shell.proxySocket) }
        try await body()
    })
    process.signal(SIGKILL)
    _ = try await process.wait()
    try result.get()
    let log = readFile(directory + "/log") ?? ""
    guard log.isEmpty else { throw TestFailure("the proxy says: \(log)") }
}

private func withMount(
    _ kind: StoreKind,
    _ store: TestStore?,
    _ settings: MountSettings,
    in shell: Shell,
    _ body: (Mounted) async throws -> Void
) async throws {
    let mounted = try await Mounted(
        kind,
        store,
        socket: store?.socket ?? shell.directory + "/embedded.socket",
        options: settings,
        in: shell
    )
    let result = await Result(catching: {
        try await mounted.waitUntilReady()
        try await body(mounted)
    })
    let end = await Result(catching: { try await mounted.end(settings) })
    try result.get()
    try end.get()
}
