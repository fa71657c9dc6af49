import MountSupport
import Testing

/// Where other users are let in, an event stream shows nobody a name that ls(1) would not show.
struct StreamRightsTests {
    private static let tools = """
        chmod 711 $T
        # as USER[,GROUP] COMMAND...: a group beside the user's own.
        as() {
            local groups=--clear-groups
            case $1 in *,*) groups=--groups=${1#*,} ;; esac
            setpriv --reuid ${1%,*} --regid 65534 $groups "${@:2}"
        }
        # hear USER[,GROUP] STREAM: what the user reads there goes to $T/USER[,GROUP].
        hear() {
            local open; open=$(grep '^xsfs_files_open' .xsfs/status)
            : >$T/$1; as $1 cat $M/$2 >>$T/$1 &
            while grep -qx "$open" .xsfs/status; do kill -0 $! || break; done
        }
        # heard USER... : what each has read until now, after all that was written before.
        heard() {
            xenstore-write /pub/end 1
            for user; do
                until grep -qx /pub/end $T/$user; do sleep 0.01; done
                echo "$user:" $(grep -vx /pub/end $T/$user | sort -u); : >$T/$user
            done
        }

        """

    @Test(arguments: StoreKind.allCases)
    func nobodyReadsNamesBelowAClosedDirectory(kind: StoreKind) async throws {
        let settings = MountSettings(options: "allow_other,umask=0")
        try await withMount(kind, settings) { mount in
            try await mount.expect(
                Self.tools + """
                    xenstore-write /pub/private/k/x 1 /pub/open/k 1 /pub/closed 1
                    for key in / /pub /pub/open /pub/private/k; do xenstore-chmod $key r0; done
                    for key in /pub/private /pub/open/k /pub/closed; do xenstore-chmod $key n0; done
                    as 7 ls pub/private 2>&1 | grep -o 'Permission denied'
                    for stream in pub/private/.watch pub/private.watch pub/closed.watch; do
                        as 7 cat $M/$stream 2>&1 | grep -o 'Permission denied'
                    done
                    stat -c '%n %a %u' pub/.watch pub/none.watch pub/closed.watch pub/private.watch
                    hear 7 pub/.watch; hear 0 pub/.watch
                    xenstore-write /pub/private/secret 1 /pub/private/k/x 2 /pub/closed 2
                    xenstore-write /pub/open/k 2 /pub/open/new 1
                    xenstore-rm /pub/private/secret
                    heard 7 0
                    # A directory is opened, closed, and gone.
                    xenstore-chmod /pub/private r0; xenstore-write /pub/private/seen 1
                    heard 7
                    xenstore-chmod /pub/private n0; xenstore-write /pub/private/unseen 1
                    xenstore-rm /pub/private; xenstore-rm /pub/open
                    heard 7
                    # What is made again has the rights of what it is in.
                    xenstore-write /pub/open/k/x 1; heard 7
                    # Of a directory that goes, too, it is known who could list it.
                    hear 8 pub/open/k/x.watch; rm -r pub/open
                    until grep -x /pub/open/k/x $T/8; do sleep 0.01; done
                    """,
                prints: """
                    Permission denied
                    Permission denied
                    Permission denied
                    Permission denied
                    pub/.watch 444 0
                    pub/none.watch 444 0
                    pub/closed.watch 400 0
                    pub/private.watch 400 0
                    7: /pub/closed /pub/open/k /pub/open/new
                    0: /pub/closed /pub/open/k /pub/open/new /pub/private/k/x /pub/private/secret
                    7: /pub/private /pub/private/seen
                    7: /pub/open /pub/private
                    7: /pub/open/k/x
                    /pub/open/k/x

                    """
            )
        }
    }

    @Test(arguments: StoreKind.allCases)
    func ownersAndTheGroupReadWhatIsTheirs(kind: StoreKind) async throws {
        let settings = MountSettings(options: "allow_other,owner=domid,gid=77")
        try await withMount(kind, settings) { mount in
            try await mount.expect(
                Self.tools + """
                    xenstore-write /pub/mine/k 1 /pub/shared/k 1
                    for key in / /pub; do xenstore-chmod $key r0; done
                    xenstore-chmod /pub/mine n5; xenstore-chmod /pub/shared n0 r5
                    stat -c '%n %a %u %g' pub/mine.watch pub/shared.watch
                    as 6 cat $M/pub/shared.watch 2>&1 | grep -o 'Permission denied'
                    hear 5 pub/.watch; hear 6 pub/.watch; hear 6,77 pub/.watch
                    xenstore-write /pub/mine/k 2 /pub/shared/k 2
                    heard 5 6 6,77
                    """,
                prints: """
                    pub/mine.watch 400 5 77
                    pub/shared.watch 440 0 77
                    Permission denied
                    5: /pub/mine/k
                    6:
                    6,77: /pub/shared/k

                    """
            )
        }
    }
}
