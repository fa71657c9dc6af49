// swift-tools-version: 6.3
import PackageDescription

/// What every target of ours is compiled with.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

let argumentParser = Target.Dependency.product(
    name: "ArgumentParser",
    package: "swift-argument-parser"
)
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")

let package = Package(
    name: "xsfs",
    products: [
        .executable(name: "xsfs", targets: ["xsfs"]),
        .library(name: "Reactor", targets: ["Reactor"]),
        .library(name: "XenstoreClient", targets: ["XenstoreClient"]),
        .library(name: "XenstoreEmbedded", targets: ["XenstoreEmbedded"]),
        .library(name: "XenstoreProtocol", targets: ["XenstoreProtocol"]),
        .library(name: "XenstoreServer", targets: ["XenstoreServer"]),
        .library(name: "XenstoreStore", targets: ["XenstoreStore"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
    ],
    targets: [
        // Pure: no operating system, no I/O, no clock.
        .target(name: "XenstoreProtocol"),
        .target(name: "XenstoreStore", dependencies: ["XenstoreProtocol"]),
        .target(name: "ChangeNotification", dependencies: ["XenstoreProtocol", logging]),
        .target(
            name: "XenstoreFilesystem",
            dependencies: ["ChangeNotification", "XenstoreProtocol", logging]
        ),

        // Descriptors and threads.
        .systemLibrary(name: "CEpoll"),
        .target(name: "Reactor", dependencies: ["CEpoll", system]),
        .target(
            name: "XenstoreClient",
            dependencies: ["Reactor", "XenstoreProtocol", logging, system]
        ),
        .target(
            name: "XenstoreEmbedded",
            dependencies: [
                "Reactor", "XenstoreClient", "XenstoreProtocol", "XenstoreStore", system,
            ]
        ),
        .target(
            name: "XenstoreServer",
            dependencies: ["Reactor", "XenstoreProtocol", "XenstoreStore", system]
        ),

        // The kernel.
        .target(
            name: "CFuse",
            path: "CFuse",
            cSettings: [
                .enableWarning("all"),
                .enableWarning("extra"),
                .treatAllWarnings(as: .error),
                .define("_FILE_OFFSET_BITS", to: "64"),
            ],
            linkerSettings: [.linkedLibrary("fuse3")]
        ),
        .target(
            name: "FuseAdapter",
            dependencies: [
                "CFuse", "ChangeNotification", "Reactor", "XenstoreFilesystem", logging, system,
            ]
        ),

        // The command.
        .executableTarget(
            name: "xsfs",
            dependencies: [
                "Reactor", "FuseAdapter", "XenstoreClient", "XenstoreFilesystem",
                "XenstoreProtocol", "XenstoreServer", "XenstoreStore",
                argumentParser, logging, system,
            ]
        ),

        // Examples of the client.
        .executableTarget(
            name: "guest-agent",
            dependencies: ["XenstoreClient", "XenstoreProtocol"],
            path: "Examples/guest-agent"
        ),
        .executableTarget(
            name: "handshake",
            dependencies: ["XenstoreClient", "XenstoreProtocol"],
            path: "Examples/handshake"
        ),

        // Tests.
        .testTarget(name: "TidyTests"),
        .target(
            name: "TestSupport",
            dependencies: ["XenstoreProtocol", "XenstoreStore"],
            path: "Tests/TestSupport"
        ),
        .target(
            name: "FilesystemScenarios",
            dependencies: [
                "TestSupport", "XenstoreFilesystem", "XenstoreProtocol", "XenstoreStore",
            ],
            path: "Tests/FilesystemScenarios"
        ),
        .testTarget(
            name: "XenstoreFilesystemTests",
            dependencies: [
                "ChangeNotification", "FilesystemScenarios", "XenstoreFilesystem",
                "XenstoreProtocol", "XenstoreStore",
            ]
        ),
        .testTarget(name: "ReactorTests", dependencies: ["Reactor", system]),
        .testTarget(
            name: "XenstoreProtocolTests",
            dependencies: ["TestSupport", "XenstoreProtocol"]
        ),
        .testTarget(
            name: "XenstoreStoreTests",
            dependencies: ["TestSupport", "XenstoreProtocol", "XenstoreStore"]
        ),
    ]
)

/// The tests that need root, /dev/fuse, a daemon or the command. `.ci/quick` leaves them out: most of
/// what an edit of a module that all stand on has the compiler do is theirs.
if Context.environment["XSFS_TESTS"] != "quick" {
    package.targets += [
        .testTarget(
            name: "ChangeNotificationTests",
            dependencies: ["ChangeNotification", "XenstoreProtocol", logging]
        ),
        .testTarget(
            name: "ConformanceTests",
            dependencies: [
                "MountSupport", "TestSupport", "XenstoreProtocol", "XenstoreStore", "xsfs",
            ]
        ),
        .testTarget(
            name: "XenstoreServerTests",
            dependencies: ["MountSupport", "TestSupport", "XenstoreProtocol", "xsfs"]
        ),
        .testTarget(
            name: "XenstoreClientTests",
            dependencies: [
                "Reactor", "MountSupport", "TestSupport", "XenstoreClient", "XenstoreEmbedded",
                "XenstoreProtocol",
                "XenstoreServer", "XenstoreStore", "xsfs", system,
            ]
        ),
        .testTarget(
            name: "CommandTests",
            dependencies: ["MountSupport", "TestSupport", "guest-agent", "handshake", "xsfs"]
        ),
        .target(name: "MountCalls", path: "Tests/MountCalls"),
        .target(name: "MountSupport", path: "Tests/MountSupport"),
        .testTarget(
            name: "MountTests",
            dependencies: [
                "FilesystemScenarios", "MountCalls", "MountSupport", "TestSupport",
                "XenstoreClient", "XenstoreFilesystem", "XenstoreProtocol", "xsfs",
            ]
        ),
    ]
}

for target in package.targets where !["CEpoll", "CFuse", "MountCalls"].contains(target.name) {
    target.swiftSettings = settings
}
