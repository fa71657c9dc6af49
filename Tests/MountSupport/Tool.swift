import Glibc

/// The programs that the tests run.
public enum Tool {
    /// The command under test.
    public static let xsfs = Place.products + "/xsfs"

    /// The directory of what is under test.
    public static let repository = Place.repository

    /// The directory of the tests' own scripts.
    public static let scripts = Place.repository + "/Tests/MountTools"

    /// The path of every command, so that nothing of the user's own comes first.
    static let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    /// Programs, and the Debian packages that bring them.
    private static let packages = [
        "bash": "bash", "fusermount3": "fuse3", "getfattr": "attr", "python3": "python3",
        "setpriv": "util-linux", "strace": "strace", "umount": "mount",
        "xenstore-ls": "xenstore-utils",
    ]

    /// Fails when something is missing that the tests run.
    static func requireAll() throws(TestFailure) {
        for (program, package) in packages {
            // Where the machine of `Tests/Machine` has no python3, no test that needs it is run.
            if GivenStore.current != nil, program == "python3" { continue }
            let places = path.split(separator: ":").map { "\($0)/\(program)" }
            guard places.contains(where: { access($0, X_OK) == 0 }) else {
                throw TestFailure("no \(program) found: install the Debian package \(package)")
            }
        }
        guard access("/dev/fuse", R_OK | W_OK) == 0 else {
            throw TestFailure("no /dev/fuse: the kernel's module fuse is needed, and the right")
        }
        guard access(xsfs, X_OK) == 0 else { throw TestFailure("no \(xsfs): swift build") }
    }
}

extension Shell {
    /// Makes a temporary directory, runs the body, and takes the directory away.
    ///
    /// So many at a time: see ``Slots``.
    public static func use(_ body: (Shell) async throws -> Void) async throws {
        try Tool.requireAll()
        await Slots.shared.enter()
        let result = await Result(catching: { try await useNow(body) })
        await Slots.shared.leave()
        try result.get()
    }

    private static func useNow(_ body: (Shell) async throws -> Void) async throws {
        var template = Array("/tmp/xsfs-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw TestFailure("no temporary directory") }
        let bytes = template.dropLast().map { UInt8(bitPattern: $0) }
        let directory = String(decoding: bytes, as: UTF8.self)
        let shell = Shell(
            directory: directory,
            environment: [
                "HOME": directory, "LC_ALL": "C", "PATH": Tool.path, "T": directory,
                "REPOSITORY": Place.repository, "TOOLS": Tool.scripts, "XSFS": Tool.xsfs,
                "PYTHONDONTWRITEBYTECODE": "1",
            ]
        )
        let result = await Result(catching: { try await body(shell) })
        // Never through a mount that somebody left there.
        let removal = try? await shell.run("rm -rf --one-file-system \"$T\"")
        try result.get()
        guard removal?.status == .exited(0) else {
            throw TestFailure("cannot remove \(directory): \(removal?.description ?? "")")
        }
    }

    /// Starts a program that ends with this process, whatever becomes of it.
    public func startDaemon(_ arguments: [String], log: String) async throws -> ChildProcess {
        try await start(["setpriv", "--pdeathsig", "KILL", "--"] + arguments, log: log)
    }
}

extension Result where Failure == any Error {
    public init(catching body: () async throws -> Success) async {
        do {
            self = .success(try await body())
        } catch {
            self = .failure(error)
        }
    }
}
