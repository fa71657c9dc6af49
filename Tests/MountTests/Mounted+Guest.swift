import Glibc
import MountSupport
import Testing

extension Mounted {
    /// Mounts the store once more, as a guest sees it.
    func asGuest(
        _ domain: Int,
        _ body: (Shell) async throws -> Void
    ) async throws {
        let directory = shell.directory
        let player = try await shell.startDaemon(
            ["\(Tool.repository)/Tests/Daemons/domain-socket", directory + "/store", "\(domain)"],
            log: directory + "/guest.log"
        )
        let guest = shell.adding(["M": directory + "/guest"])
        let result = await Result(catching: {
            _ = try await run("mkdir $T/guest")
            try await eventually("the guest is there") {
                try await run("[ -S $T/store/domain-\(domain) ]").status == .exited(0)
            }
            try await expect("\"$XSFS\" --socket $T/store/domain-\(domain) $T/guest")
            try await body(guest)
        })
        let end = await Result(catching: { try await expect("fusermount3 -u $T/guest") })
        player.signal(SIGKILL)
        _ = try await player.wait()
        try result.get()
        try end.get()
    }
}
