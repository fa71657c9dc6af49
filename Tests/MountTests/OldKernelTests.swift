import MountSupport
import Testing

/// A mount on a kernel that does not have all system calls, as `Tests/MountTools/refuse` plays it:
/// openat2 is 437, open_tree 428.
struct OldKernelTests {
    /// Mounts the store once more, at `$M`, with some calls refused.
    private static func mounted(_ refused: String) -> String {
        """
        source "$TOOLS/events.bash"
        gcc -std=gnu11 -Wall -Wextra -Werror -O1 -o $T/refuse "$TOOLS/refuse.c"
        mkdir $T/old; M=$T/old
        xenstore-write /t/key v /t/d/x/y 1
        $T/refuse \(refused) -- "$XSFS" --socket "$S" $M
        cd $M

        """
    }

    private static let unmounted = "\ncd /; fusermount3 -u $M\n"

    @Test(arguments: ["ENOSYS 437 428", "ENOSYS 437", "EPERM 437 428"])
    func inotifyTellsAllWithoutNewSystemCalls(refused: String) async throws {
        try await withMount(.served) { mount in
            try await mount.expect(
                Self.mounted(refused) + """
                    watch -r $M/t
                    xenstore-write /t/key w; told 'MODIFY t/key' 'CLOSE_WRITE,CLOSE t/key'
                    xenstore-write /t/d/x/y 2; told 'MODIFY t/d/x/y' 'CLOSE_WRITE,CLOSE t/d/x/y'
                    xenstore-write /t/d/x/n ''; told 'CREATE t/d/x/n'
                    xenstore-chmod /t/d/x/y r0; told 'ATTRIB t/d/x/y'
                    xenstore-rm /t/d/x/n; told 'DELETE t/d/x/n'
                    nothing_else t/end
                    """ + Self.unmounted
            )
        }
    }

    @Test(arguments: ["ENOSYS 437 428", "ENOSYS"])
    func noCallReachesWhatIsMountedInside(refused: String) async throws {
        try await withMount(.served) { mount in
            try await mount.expect(
                Self.mounted(refused) + """
                    ls -R t >$T/0; mkdir $T/real; mount --bind $T/real t/d/x
                    watch $M/t
                    xenstore-write /t/d/x/new 1 /t/d/x/y 2
                    xenstore-write /t/key w; told 'MODIFY t/key' 'CLOSE_WRITE,CLOSE t/key'
                    nothing_else t/end
                    ls -A $T/real; umount t/d/x
                    """ + Self.unmounted
            )
        }
    }

    @Test func theStatusAndTheLogSayWhatIsMissing() async throws {
        try await withMount(.served) { mount in
            try await mount.expect(
                Self.mounted("ENOSYS 437 428") + """
                    grep '^xsfs_kernel_feature{feature="open' .xsfs/status
                    grep -m 1 -o 'this kernel does not offer openat2, open_tree' .xsfs/log
                    """ + Self.unmounted,
                prints: """
                    xsfs_kernel_feature{feature="open_tree"} 0
                    xsfs_kernel_feature{feature="openat2"} 0
                    this kernel does not offer openat2, open_tree

                    """
            )
        }
    }
}
