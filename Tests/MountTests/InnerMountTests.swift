import MountSupport
import Testing

/// What is mounted inside the mount stays, whatever inotify is still to show of the keys above.
@Suite(.timeLimit(.minutes(5)))
struct InnerMountTests {
    /// The process that makes inotify events is stopped while others make keys and one mounts.
    @Test(arguments: StoreKind.allCases)
    func whatIsMountedInANewDirectoryStays(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            let script = """
                agent=$(pgrep -P $(pgrep -P \(mount.daemon.id) -x xsfs-guard) -x xsfs-inotify)
                xenstore-write /shape v; ls -l . >/dev/null
                inotifywait -q -e create --format %f --include last . 2>&1 &
                watch=$!; until grep -q ^inotify /proc/$watch/fdinfo/* 2>/dev/null; do :; done
                kill -STOP $agent
                xenstore-write /new/a/b/key v /file v /shape/a/b v
                touch $T/file
                mount -t tmpfs none new/a/b && mount -t tmpfs none shape/a && mount --bind $T/file file
                kill -CONT $agent
                xenstore-write /last v; wait $watch
                for place in new/a/b shape/a file; do
                    mountpoint -q $place || echo "$place is gone"
                done
                umount new/a/b shape/a file && ls new/a shape && cat file
                """
            try await mount.expect(script, prints: "last\nnew/a:\nb\n\nshape:\na\nv\n")
        }
    }

    /// A directory that somebody knows, and nothing is mounted in, has its event as before.
    @Test(arguments: StoreKind.allCases)
    func aKnownDirectoryIsTold(kind: StoreKind) async throws {
        try await withMount(kind) { mount in
            try await mount.expect(
                """
                agent=$(pgrep -P $(pgrep -P \(mount.daemon.id) -x xsfs-guard) -x xsfs-inotify)
                mkdir other && mount -t tmpfs none other
                inotifywait -q -e create --format %f --include new . 2>&1 &
                watch=$!; until grep -q ^inotify /proc/$watch/fdinfo/* 2>/dev/null; do :; done
                kill -STOP $agent
                xenstore-write /new/a v; stat new new/a >/dev/null
                kill -CONT $agent; wait $watch; umount other
                """,
                prints: "new\n"
            )
        }
    }
}
