import Glibc
import MountSupport
import TestSupport
import Testing

/// The process that serves the mount is killed at any moment, under load.
struct KillTests {
    private static let rounds = 12

    /// Each goes on until a system call on the mount fails.
    private static let workers = [
        "while echo $RANDOM > writer; do :; done",
        "while echo $RANDOM >> appender && [ $RANDOM -gt 2000 ] || : > appender; do :; done",
        "while ls && cat writer && ls tool/xenstored; do :; done",
        "while mkdir -p storm/a && rmdir storm/a; do :; done",
        "while ls && touch storm/x && rm storm/x; do :; done",
        "mkdir -p moved/from; while mv moved/from moved/to && mv moved/to moved/from; do :; done",
        "while find . -ls; do :; done",
        "while inotifywait -r -t 1 .; [ $? -ne 1 ]; do :; done",
    ]

    @Test(arguments: [StoreKind.embedded, .served, .xenstored])
    func nobodyIsStuckAndTheNextMountWorks(kind: StoreKind) async throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        do {
            try await Shell.use { shell in
                try await kill(kind, seed: seed, in: shell)
            }
        } catch {
            throw TestFailure("seed \(seed): \(error)")
        }
    }

    private func kill(_ kind: StoreKind, seed: UInt64, in shell: Shell) async throws {
        var random = SplitMix64(seed: seed)
        let store = kind == .embedded ? nil : try await TestStore.start(kind, in: shell)
        let point = shell.directory + "/mount"
        let socket = store?.socket ?? shell.directory + "/socket"
        let place = shell.adding(["P": point, "XENSTORED_PATH": socket])
        _ = try await place.run("mkdir $P")
        let result = await Result(catching: {
            for _ in 0..<Self.rounds {
                let daemon = try await mount(kind, socket, at: point, in: place)
                try await run(in: place, upTo: .milliseconds(20 + random.below(280)), then: daemon)
            }
            // The last one ends as it should.
            let daemon = try await mount(kind, socket, at: point, in: place)
            daemon.signal(SIGTERM)
            #expect(try await daemon.wait() == .exited(0))
            #expect(!isMounted(point))
        })
        _ = try await place.run("while umount -l $P 2>/dev/null; do :; done")
        try await store?.stop()
        try result.get()
    }

    /// Mounts where a killed process may have left its mount.
    private func mount(
        _ kind: StoreKind,
        _ socket: String,
        at point: String,
        in shell: Shell
    ) async throws -> ChildProcess {
        let daemon = try await shell.startMount(kind, socket: socket, at: point)
        try await eventually("the mount works") {
            if let status = daemon.status {
                throw TestFailure("xsfs ended, \(status): \(readFile(daemon.errors) ?? "")")
            }
            return try await shell.run("ls $P/tool").status == .exited(0)
        }
        return daemon
    }

    /// Runs the workers, kills the daemon, and waits for them.
    private func run(
        in shell: Shell,
        upTo time: Duration,
        then daemon: ChildProcess
    ) async throws {
        // Changes from outside make the daemon send invalidations.
        let outside = try await shell.start(
            """
            while xenstore-write /storm/y/z 1 /writer v; do xenstore-rm /storm/y; done
            """
        )
        var processes: [ChildProcess] = []
        for worker in Self.workers {
            processes.append(
                try await shell.start("cd $P && exec >/dev/null 2>&1 || exit\n" + worker)
            )
        }
        // The moment is a matter of chance: there is nothing to wait for.
        try await Task.sleep(for: time)
        daemon.signal(SIGKILL)
        var stuck: [String] = []
        if try await daemon.wait() == nil {
            stuck.append("the daemon: \(whereabouts(daemon.id))")
        }
        for process in processes where try await process.wait() == nil {
            stuck.append("\(process.command): \(whereabouts(process.id))")
            process.killGroup()
        }
        outside.killGroup()
        _ = try await outside.wait()
        guard stuck.isEmpty else {
            throw TestFailure("stuck after \(time):\n" + stuck.joined(separator: "\n"))
        }
    }
}
