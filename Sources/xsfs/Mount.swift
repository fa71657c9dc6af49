import ArgumentParser
import Glibc

/// `xsfs [options] MOUNTPOINT`
struct Mount: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "A filesystem that is the xenstore of this host or guest.",
        usage: """
            xsfs [<options>] <mountpoint>
            xsfs serve --listen <path>      (see xsfs help serve)
            """,
        discussion: """
            Keys are files, directories hold a key's children, permissions are owners and modes:

              xsfs /mnt/xenstore
              cat /mnt/xenstore/local/domain/0/name

            Without an option that names the store it is found as libxenstore does: \
            $XENSTORED_PATH, then /run/xenstored/socket, /dev/xen/xenbus, /proc/xen/xenbus.
            """
    )

    @OptionGroup(title: "Store options")
    var store: StoreArguments

    @Option(
        name: .short,
        help: ArgumentHelp(
            "Mount options, separated by commas, as mount(8) passes them.",
            discussion: MountOptions.help,
            valueName: "options"
        )
    )
    var o: [String] = []

    @Flag(name: [.short, .long], help: "Stay in the foreground, and log to standard error.")
    var foreground = false

    @Flag(name: .short, help: "Stay in the foreground, and log each request of the kernel.")
    var debug = false

    @OptionGroup(title: "Log options")
    var log: LogArguments

    @Argument(help: "The directory to mount at.", completion: .directory)
    var mountpoint: String

    func run() throws {
        // It toggles the trace of a mount, and pkill(1) sends it to all of the name. Until there is
        // a handler it would end the program.
        signal(SIGUSR2, SIG_IGN)
        let options = try MountOptions(parsing: o)
        let source = try store.source(options)
        let mountpoint = try Mountpoint(mountpoint, stacks: options.stacks)
        try mountpoint.check(source)
        let levels = try log.levels(isDebugging: debug)
        let background = foreground || debug ? nil : try Background.enter()
        let daemon = try MountDaemon(
            source,
            at: mountpoint,
            options,
            logging: levels,
            showsValues: log.logValues
        )
        try runDaemon(daemon) { background?.ready() }
    }
}
