import Glibc
import MountSupport
import Testing

/// One mount at a place: what killed processes leave goes, and what lives stays.
@Suite(.timeLimit(.minutes(5)))
struct MountLifeTests {
    /// Kills the process that serves the mount, and its guard first if asked to.
    private func kill(_ daemon: ChildProcess, withGuard: Bool, in shell: Shell) async throws {
        if withGuard {
            try await shell.expect("pkill -KILL -P \(daemon.id) -x xsfs-guard")
        }
        daemon.signal(SIGKILL)
        _ = try await daemon.wait()
    }

    private func count(at point: String) -> Int {
        let mounts = (readFile("/proc/self/mountinfo") ?? "").split(separator: "\n")
        return mounts.count { $0.contains(" \(point) ") }
    }

    @Test(arguments: ["cache=strict", "cache=watch", "noinotify"])
    func theGuardTakesTheMountAway(option: String) async throws {
        let settings = MountSettings(options: option, mayBeKilled: true)
        try await withMount(.served, settings) { mount in
            // Those who use it do not keep it.
            let user = try await mount.shell.start("exec 3<tool/xenstored; sleep infinity")
            try await mount.expect("ls -lR >/dev/null; stat . >/dev/null")
            try await kill(mount.daemon, withGuard: false, in: mount.shell)
            try await eventually("the mount is gone") { !isMounted(mount.point) }
            #expect(user.status == nil)
            let elsewhere = mount.shell.adding(["M": "/"])
            try await elsewhere.expect("ls -A '\(mount.point)'")
            user.killGroup()
        }
    }

    /// Another mount by then at the same place is not the guard's.
    @Test func theGuardTakesNothingElse() async throws {
        try await withMount(.served, MountSettings(mayBeKilled: true)) { mount in
            let shell = mount.shell.adding(["M": "/", "P": mount.point])
            try await shell.expect("mount -t tmpfs none $P && echo kept >$P/file")
            let guardProcess = try await shell.run("pgrep -P \(mount.daemon.id) -x xsfs-guard")
            try await kill(mount.daemon, withGuard: false, in: shell)
            let id = guardProcess.lines.first ?? ""
            try await shell.expect(
                "while [ -e /proc/\(id)/exe ]; do :; done; cat $P/file",
                prints: "kept\n"
            )
            try await shell.expect("umount $P; umount -l $P; ! mountpoint -q $P")
        }
    }

    /// With `cache=watch` the kernel answers stat(2) for a daemon that is dead.
    @Test func deadMountsGoHoweverMany() async throws {
        try await Shell.use { shell in
            let store = try await TestStore.start(.served, in: shell)
            let place = shell.adding(["P": shell.directory + "/mount", "S": store.socket])
            try await place.expect("mkdir $P")
            let result = await Result(catching: { try await stackDeadMounts(store, in: place) })
            _ = try await place.run("while umount -l $P 2>/dev/null; do :; done")
            try await store.stop()
            try result.get()
        }
    }

    private func stackDeadMounts(_ store: TestStore, in shell: Shell) async throws {
        let point = shell.directory + "/mount"
        for mountpoint in ["$P", ".", "$T/link"] {
            var daemons: [ChildProcess] = []
            for number in 1...3 {
                let options = "cache=watch,nonempty"
                daemons.append(
                    try await shell.startMount(
                        .served,
                        socket: store.socket,
                        options: options,
                        at: point
                    )
                )
                try await eventually("it is mounted") { count(at: point) == number }
            }
            // A program that is in the mount is there when it is dead, and mounts from there.
            try await shell.expect("rm -f $T/go $T/status; mkfifo $T/go; ln -sfn mount $T/link")
            let user = try await shell.start(
                """
                cd $P || exit
                cat $T/go; "$XSFS" --socket $S -o cache=watch \(mountpoint); echo $? >$T/status
                exec sleep infinity
                """
            )
            // The kernel keeps the attributes of what was looked at more than a second ago.
            try await shell.expect("stat $P >/dev/null; sleep 1.1; stat $P >/dev/null")
            for daemon in daemons { try await kill(daemon, withGuard: true, in: shell) }
            #expect(count(at: point) == 3)
            try await shell.expect(
                """
                : >$T/go; until [ -s $T/status ]; do sleep 0.01; done
                cat $T/status; grep -c " $P " /proc/self/mountinfo; ls $P/tool; fusermount3 -u $P
                """,
                prints: "0\n1\nxenstored\n"
            )
            user.killGroup()
            #expect(count(at: point) == 0)
        }
    }

    @Test func aSecondMountIsRefusedUnlessAskedFor() async throws {
        try await withMount(.served) { mount in
            let shell = mount.shell.adding(["M": "/", "P": mount.point])
            for place in ["$P", "$P/", "$P/tool/.."] {
                try await shell.expect(
                    "cd $P; \"$XSFS\" --socket $S \(place)",
                    refuses: ["cannot mount at", "mounted there already", "nonempty"]
                )
            }
            try await shell.expect(
                """
                "$XSFS" --embedded -o nonempty $P && cat $P/local/domain/1/name
                fusermount3 -u $P; ls $P
                mkdir "$T/a b" && mount -t tmpfs none "$T/a b" && "$XSFS" --embedded "$T/a b" &&
                    cat "$T/a b/local/domain/1/name"
                "$XSFS" --embedded "$T/a b" 2>/dev/null || echo refused
                fusermount3 -u "$T/a b"; umount "$T/a b"
                """,
                prints: "web\ntool\nweb\nrefused\n"
            )
        }
    }
}
