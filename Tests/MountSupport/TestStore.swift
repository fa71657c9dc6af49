import Glibc
public import Testing

/// The stores that a mount must serve alike.
public enum StoreKind: String, CaseIterable, Sendable, CustomTestStringConvertible {
    /// Inside the process that serves the mount.
    case embedded
    /// `xsfs serve`, in a process of its own.
    case served
    /// The daemons of the version that is ``XenVersion/usual``.
    case xenstored
    case oxenstored
    case xenstored420 = "xenstored-4.20"
    case oxenstored420 = "oxenstored-4.20"

    public var testDescription: String {
        self == .xenstored || self == .oxenstored
            ? "\(rawValue)-\(XenVersion.usual.rawValue)" : rawValue
    }

    public var isXenstored: Bool { self == .xenstored || self == .xenstored420 }
    public var isOxenstored: Bool { self == .oxenstored || self == .oxenstored420 }

    /// That of a daemon of Xen.
    public var version: XenVersion? {
        switch self {
        case .embedded, .served: nil
        case .xenstored, .oxenstored: GivenStore.isThere ? .xen417 : .usual
        case .xenstored420, .oxenstored420: .xen420
        }
    }

    public static let allCases: [StoreKind] =
        GivenStore.current.map { [$0.kind] } ?? [.embedded, .served, .xenstored, .oxenstored]

    /// With the daemons of each version of Xen.
    public static let allVersions: [StoreKind] =
        GivenStore.isThere || XenVersion.usual == .xen420
        ? allCases : allCases + [.xenstored420, .oxenstored420]

    /// The stores behind a socket, in a process of their own.
    public static let remote = allVersions.filter { $0 != .embedded }
}

/// A store in a process of its own, in a directory of its own.
public final class TestStore: Sendable {
    public let kind: StoreKind
    /// Where it listens: a socket, or the kernel's device.
    public let socket: String
    public let process: ChildProcess

    /// Starts it and waits until it answers.
    ///
    /// - Parameters:
    ///   - domains: the numbers of the guests that exist: C xenstored refuses permissions for
    ///     others.
    ///   - guest: one that `xsfs serve` gives a socket, `domain-` and its number.
    public static func start(
        _ kind: StoreKind,
        domains: ClosedRange<Int> = 1...9,
        guest: Int? = nil,
        in shell: Shell
    ) async throws -> TestStore {
        let directory = shell.directory + "/store"
        mkdir(directory, 0o700)
        if let given = GivenStore.current, kind == given.kind {
            try await given.clear(in: shell)
            // Stands for the process that is not ours to end.
            let standIn = ["sleep", "infinity"]
            let process = try await shell.startDaemon(standIn, log: directory + "/log")
            return TestStore(kind: kind, socket: given.path, process: process)
        }
        let socket = directory + "/socket"
        var arguments: [String]
        switch kind {
        case .embedded: throw TestFailure("an embedded store has no process of its own")
        case .served:
            try writeFile(shell.directory + "/served.txt", initialListing)
            arguments = [
                Tool.xsfs, "serve", "--listen", socket, "--load", shell.directory + "/served.txt",
            ]
            if let guest { arguments += ["--domain", "\(guest)=\(directory)/domain-\(guest)"] }
        case .xenstored, .oxenstored, .xenstored420, .oxenstored420:
            let list = domains.map(String.init).joined(separator: ",")
            try writeFile(directory + "/domains", list)
            let letter = kind.isXenstored ? "c" : "o"
            let version = (kind.version ?? .usual).rawValue
            arguments = [Place.repository + "/Tests/Daemons/xenstored", letter, directory, version]
        }
        let process = try await shell.startDaemon(arguments, log: directory + "/log")
        let store = TestStore(kind: kind, socket: socket, process: process)
        do {
            try await store.waitUntilReady(in: shell)
        } catch {
            try await store.stop()
            throw error
        }
        return store
    }

    /// Starts `xsfs serve` with more arguments, and waits until it answers.
    ///
    /// - Parameter starter: a program that starts it, with its arguments.
    public static func startServing(
        _ arguments: [String],
        by starter: [String] = [],
        in shell: Shell
    ) async throws -> TestStore {
        let directory = shell.directory + "/store"
        mkdir(directory, 0o700)
        let socket = directory + "/socket"
        let process = try await shell.startDaemon(
            starter + [Tool.xsfs, "serve", "--listen", socket] + arguments,
            log: directory + "/log"
        )
        let store = TestStore(kind: .served, socket: socket, process: process)
        do {
            try await store.waitUntilReady(in: shell)
        } catch {
            try await store.stop()
            throw error
        }
        return store
    }

    /// What a store holds at the beginning that does not bring something of its own.
    static let initialListing = "/tool = \"\"   (n0)\n/tool/xenstored = \"\"   (n0)\n"

    private init(kind: StoreKind, socket: String, process: ChildProcess) {
        self.kind = kind
        self.socket = socket
        self.process = process
    }

    private func waitUntilReady(in shell: Shell) async throws {
        try await eventually("\(kind.rawValue) answers") {
            if let status = process.status {
                let output = readFile(shell.directory + "/store/output.log") ?? ""
                let errors = readFile(process.errors) ?? ""
                throw TestFailure("\(kind) ended, \(status): \(errors)\(output)")
            }
            return canConnect(to: socket)
        }
    }

    /// Ends it at once.
    public func stop() async throws {
        process.signal(SIGCONT)
        process.signal(SIGKILL)
        guard try await process.wait() != nil else {
            throw TestFailure("\(kind) does not end: \(whereabouts(process.id))")
        }
    }
}

/// Whether somebody listens on a unix socket.
func canConnect(to path: String) -> Bool {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return false }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return withUnsafePointer(to: address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
        }
    }
}
