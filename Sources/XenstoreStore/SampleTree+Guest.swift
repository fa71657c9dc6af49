extension SampleTree {
    /// What differs between the guests of the sample.
    struct Guest {
        let domain: Int
        let name: String
        let uuid: String
        /// KiB.
        let memory: Int
        let disk: String
        let address: String

        /// The keys of the driver that serves the guest's disk, which it may read.
        var blockBackend: String {
            let block = "/local/domain/0/backend/vbd/\(domain)/51712"
            return """
                /local/domain/0/backend/vbd/\(domain) = ""   (n0)
                \(block) = ""   (n0,r\(domain))
                \(block)/frontend = "/local/domain/\(domain)/device/vbd/51712"   (n0,r\(domain))
                \(block)/params = "\(disk)"   (n0,r\(domain))
                \(block)/script = "/etc/xen/scripts/block"   (n0,r\(domain))
                \(block)/frontend-id = "\(domain)"   (n0,r\(domain))
                \(block)/online = "1"   (n0,r\(domain))
                \(block)/removable = "0"   (n0,r\(domain))
                \(block)/bootable = "1"   (n0,r\(domain))
                \(block)/state = "4"   (n0,r\(domain))
                \(block)/dev = "xvda"   (n0,r\(domain))
                \(block)/type = "phy"   (n0,r\(domain))
                \(block)/mode = "w"   (n0,r\(domain))
                \(block)/device-type = "disk"   (n0,r\(domain))
                \(block)/physical-device = "fd:\(domain)"   (n0,r\(domain))
                \(block)/hotplug-status = "connected"   (n0,r\(domain))
                \(block)/feature-flush-cache = "1"   (n0,r\(domain))
                \(block)/feature-persistent = "1"   (n0,r\(domain))
                \(block)/sectors = "41943040"   (n0,r\(domain))
                \(block)/info = "0"   (n0,r\(domain))
                \(block)/sector-size = "512"   (n0,r\(domain))

                """
        }

        /// The keys of the driver that serves the guest's network, which it may read.
        var networkBackend: String {
            let network = "/local/domain/0/backend/vif/\(domain)/0"
            return """
                /local/domain/0/backend/vif/\(domain) = ""   (n0)
                \(network) = ""   (n0,r\(domain))
                \(network)/frontend = "/local/domain/\(domain)/device/vif/0"   (n0,r\(domain))
                \(network)/frontend-id = "\(domain)"   (n0,r\(domain))
                \(network)/online = "1"   (n0,r\(domain))
                \(network)/state = "4"   (n0,r\(domain))
                \(network)/script = "/etc/xen/scripts/vif-bridge"   (n0,r\(domain))
                \(network)/mac = "\(address)"   (n0,r\(domain))
                \(network)/bridge = "xenbr0"   (n0,r\(domain))
                \(network)/handle = "0"   (n0,r\(domain))
                \(network)/type = "vif"   (n0,r\(domain))
                \(network)/hotplug-status = "connected"   (n0,r\(domain))
                \(network)/feature-sg = "1"   (n0,r\(domain))
                \(network)/feature-rx-copy = "1"   (n0,r\(domain))
                \(network)/multi-queue-max-queues = "2"   (n0,r\(domain))

                """
        }

        /// The home of the guest: keys of the toolstack that it may read, and keys of its own.
        var home: String {
            let home = "/local/domain/\(domain)"
            let block = "\(home)/device/vbd/51712"
            let network = "\(home)/device/vif/0"
            let mine = "(n\(domain))"
            let readable = "(n0,r\(domain))"
            let shared = "(n\(domain),r0)"
            return """
                \(home) = ""   \(readable)
                \(home)/vm = "/vm/\(uuid)"   \(readable)
                \(home)/name = "\(name)"   \(readable)
                \(home)/cpu = ""   \(readable)
                \(home)/cpu/0 = ""   \(readable)
                \(home)/cpu/0/availability = "online"   \(readable)
                \(home)/cpu/1 = ""   \(readable)
                \(home)/cpu/1/availability = "online"   \(readable)
                \(home)/memory = ""   \(readable)
                \(home)/memory/static-max = "\(memory)"   \(readable)
                \(home)/memory/target = "\(memory)"   \(readable)
                \(home)/memory/videoram = "0"   \(readable)
                \(home)/device = ""   \(readable)
                \(home)/device/suspend = ""   \(readable)
                \(home)/device/suspend/event-channel = ""   \(mine)
                \(home)/device/vbd = ""   \(readable)
                \(block) = ""   \(shared)
                \(block)/backend = "/local/domain/0/backend/vbd/\(domain)/51712"   \(shared)
                \(block)/backend-id = "0"   \(shared)
                \(block)/state = "4"   \(shared)
                \(block)/virtual-device = "51712"   \(shared)
                \(block)/device-type = "disk"   \(shared)
                \(block)/event-channel = "9"   \(shared)
                \(block)/ring-ref = "8"   \(shared)
                \(block)/protocol = "x86_64-abi"   \(shared)
                \(block)/feature-persistent = "1"   \(shared)
                \(home)/device/vif = ""   \(readable)
                \(network) = ""   \(shared)
                \(network)/backend = "/local/domain/0/backend/vif/\(domain)/0"   \(shared)
                \(network)/backend-id = "0"   \(shared)
                \(network)/state = "4"   \(shared)
                \(network)/handle = "0"   \(shared)
                \(network)/mac = "\(address)"   \(shared)
                \(network)/mtu = "1500"   \(shared)
                \(network)/tx-ring-ref = "768"   \(shared)
                \(network)/rx-ring-ref = "769"   \(shared)
                \(network)/event-channel-tx = "11"   \(shared)
                \(network)/event-channel-rx = "12"   \(shared)
                \(network)/request-rx-copy = "1"   \(shared)
                \(network)/feature-sg = "1"   \(shared)
                \(home)/control = ""   \(readable)
                \(home)/control/shutdown = ""   \(mine)
                \(home)/control/feature-poweroff = "1"   \(mine)
                \(home)/control/feature-reboot = "1"   \(mine)
                \(home)/control/feature-suspend = ""   \(mine)
                \(home)/control/sysrq = ""   \(mine)
                \(home)/control/platform-feature-multiprocessor-suspend = "1"   \(readable)
                \(home)/control/platform-feature-xs_reset_watches = "1"   \(readable)
                \(home)/domid = "\(domain)"   \(readable)
                \(home)/data = ""   \(mine)
                \(home)/data/os-name = "Debian GNU/Linux"   \(mine)
                \(home)/drivers = ""   \(mine)
                \(home)/feature = ""   \(mine)
                \(home)/attr = ""   \(mine)
                \(home)/attr/eth0 = ""   \(mine)
                \(home)/attr/eth0/ip = "192.0.2.\(domain)"   \(mine)
                \(home)/error = ""   \(mine)
                \(home)/store = ""   \(readable)
                \(home)/store/port = "1"   \(readable)
                \(home)/store/ring-ref = "1044476"   \(readable)
                \(home)/console = ""   \(readable)
                \(home)/console/backend = "/local/domain/0/backend/console/\(domain)/0"   \(readable)
                \(home)/console/backend-id = "0"   \(readable)
                \(home)/console/limit = "1048576"   \(readable)
                \(home)/console/type = "xenconsoled"   \(readable)
                \(home)/console/output = "pty"   \(readable)
                \(home)/console/tty = "/dev/pts/\(domain)"   \(readable)
                \(home)/console/port = "2"   \(readable)
                \(home)/console/ring-ref = "1044477"   \(readable)

                """
        }

        /// The machine behind the domain, which keeps its number when the domain changes its own.
        var machine: String {
            """
            /vm/\(uuid) = ""   (n0,r\(domain))
            /vm/\(uuid)/name = "\(name)"   (n0,r\(domain))
            /vm/\(uuid)/uuid = "\(uuid)"   (n0,r\(domain))
            /vm/\(uuid)/start_time = "1700000000.\(domain)"   (n0,r\(domain))

            """
        }

        /// What the toolstack notes for itself.
        var toolstackRecord: String {
            """
            /libxl/\(domain) = ""   (n0)
            /libxl/\(domain)/type = "pvh"   (n0)
            /libxl/\(domain)/dm-version = "qemu_xen"   (n0)

            """
        }
    }
}
