import Glibc
import MountSupport
import Testing

extension Mounted {
    /// Mounts the store once more, as a guest sees it.
    ///
    /// - Parameter options: what `-o` gets.
    func asGuest(
        _ domain: Int,
        options: String? = nil,
        _ body: (Shell) async throws -> Void
    ) async throws {
        let directory = shell.directory
        // `xsfs serve` has a socket for it, see `MountSettings.guest`.
        let player =
            kind == .served
            ? nil
            : try await shell.startDaemon(
                [
                    "\(Tool.repository)/Tests/Daemons/domain-socket", directory + "/store",
                    "\(domain)",
                ],
                log: directory + "/guest.log"
            )
        let guest = shell.adding(["M": directory + "/guest"])
        let result = await Result(catching: {
            _ = try await run("mkdir $T/guest")
            try await eventually("the guest is there") {
                try await run("[ -S $T/store/domain-\(domain) ]").status == .exited(0)
            }
            let mount = "\"$XSFS\" --socket $T/store/domain-\(domain)"
            try await expect("\(mount) \(options.map { "-o " + $0 } ?? "") $T/guest")
            try await body(guest)
        })
        let end = await Result(catching: { try await expect("fusermount3 -u $T/guest") })
        player?.signal(SIGKILL)
        _ = try await player?.wait()
        try result.get()
        try end.get()
    }
}
